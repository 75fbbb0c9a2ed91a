"""The server: churn scores over HTTP, from a released bundle and one feature snapshot.

Our ASGI app answers; BentoML's app stands behind it for its native endpoint and tooling.
"""

import os

# BentoML reads this when it is first imported and understands the word "true" only.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
