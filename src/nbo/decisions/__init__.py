"""From scores to what people do: the at-risk list and why, recommendations, the decision log.

Nothing is imported here: the log and the server must not load a model library to be imported.
"""
