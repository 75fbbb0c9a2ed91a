"""Decisions, outcomes and artifacts, to which rows are added and nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("decisions", "outcomes", "artifacts")
UNIQUE = {
    "decisions": ("seq", "decision_id", "idempotency_key"),
    "outcomes": ("seq", "decision_id"),
    "artifacts": ("hash",),
}


def upgrade() -> None:
    """Make the tables and the triggers that keep them."""
    create_tables()
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            guard_sqlite(table)
    else:
        guard_postgresql()


def create_tables() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "decisions",
        sa.Column("seq", number, sa.Identity(always=True), primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False, unique=True),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("as_of", sa.Integer, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, unique=True),
        sa.Column("run_id", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("inputs", sa.LargeBinary),
        sa.Column("versions", sa.Text, nullable=False),
    )
    op.create_index("decisions_by_account", "decisions", ["account_id", "as_of"])
    op.create_index("decisions_by_run", "decisions", ["run_id"])
    known = "outcome IN ('accepted', 'refused', 'not_reached', 'no_answer')"
    op.create_table(
        "outcomes",
        sa.Column("seq", number, sa.Identity(always=True), primary_key=True),
        sa.Column(
            "decision_id", sa.Text, sa.ForeignKey("decisions.decision_id"), nullable=False, unique=True
        ),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("offer_id", sa.Text),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.CheckConstraint(known, name="outcomes_known_word"),
    )
    op.create_table(
        "artifacts",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )


def guard_sqlite(table: str) -> None:
    """Refuse UPDATE and DELETE; make INSERT OR REPLACE, which deletes silently, change nothing."""
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    taken = " OR ".join(f"{column} = NEW.{column}" for column in UNIQUE[table])
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) BEGIN SELECT RAISE(IGNORE); END"
    )


def guard_postgresql() -> None:
    """Refuse UPDATE, DELETE and TRUNCATE."""
    op.execute(
        "CREATE FUNCTION decision_log_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION decision_log_append_only()"
        )
