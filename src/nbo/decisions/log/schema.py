"""The tables of the log, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from nbo.decisions.log.records import OUTCOME_WORDS

VERSIONS = ("0001",)
"""Every version a database may have, oldest first; each is a file of ``migrations/versions``."""

VERSION_TABLE = "decision_log_version"
"""Not Alembic's usual name: a PostgreSQL database may be shared with a tool that uses that one."""

metadata = MetaData()


def sequence() -> Column[int]:
    """A number given by the database, rising with each row."""
    # Only a column declared INTEGER is numbered by SQLite.
    number = BigInteger().with_variant(Integer, "sqlite")
    return Column("seq", number, Identity(always=True), primary_key=True)


decisions = Table(
    "decisions",
    metadata,
    sequence(),
    Column("decision_id", Text, nullable=False, unique=True),
    Column("account_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("as_of", Integer, nullable=False),
    Column("decided_at", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("run_id", Text),
    Column("answer", Text, nullable=False),
    Column("inputs", LargeBinary),
    Column("versions", Text, nullable=False),
    Index("decisions_by_account", "account_id", "as_of"),
    Index("decisions_by_run", "run_id"),
)

outcomes = Table(
    "outcomes",
    metadata,
    sequence(),
    Column("decision_id", Text, ForeignKey("decisions.decision_id"), nullable=False, unique=True),
    Column("outcome", Text, nullable=False),
    Column("offer_id", Text),
    Column("occurred_at", Text, nullable=False),
    CheckConstraint(f"outcome IN {OUTCOME_WORDS}", name="outcomes_known_word"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("content", Text, nullable=False),
)
