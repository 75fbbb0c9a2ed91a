"""The decision log: what was decided, for whom, on what grounds, and what came of it.

SQLite by default, PostgreSQL by address; rows are added and never changed. Nothing else runs SQL on
a database of decisions, and nothing here imports a model, so that it loads quickly.
"""

from nbo.decisions.log.imports import Imported, LineProblem, import_outcomes
from nbo.decisions.log.outcomes import Attachment, OutcomeProblem
from nbo.decisions.log.records import OUTCOME_WORDS, LoggedDecision, NewDecision, Outcome
from nbo.decisions.log.settings import log_url
from nbo.decisions.log.store import DecisionLog, open_log
from nbo.decisions.log.writer import LogWriter

__all__ = [
    "OUTCOME_WORDS",
    "Attachment",
    "DecisionLog",
    "Imported",
    "LineProblem",
    "LogWriter",
    "LoggedDecision",
    "NewDecision",
    "Outcome",
    "OutcomeProblem",
    "import_outcomes",
    "log_url",
    "open_log",
]
