"""The decision log: rows are added, and nothing is ever changed or removed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from nbo.decisions.log.database import Database
from nbo.decisions.log.migrating import bring_up_to_date
from nbo.decisions.log.outcomes import UNKNOWN_STEP, Attaching, Attachment, attached_outcomes, refusal
from nbo.decisions.log.records import LoggedDecision, NewDecision, Outcome
from nbo.decisions.log.schema import artifacts, decisions, outcomes
from nbo.decisions.log.settings import read_address
from nbo.errors import ConflictError, UsageError

CHUNK = 2_000
T = TypeVar("T")


def open_log(url: str) -> "DecisionLog":
    """Open the log at an address, making or migrating its tables where need be.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``, perhaps with a password.

    Raises
    ------
    UsageError
        The address cannot be read.
    StorageError
        The database is away, damaged, or written by a newer nbo.
    """
    database = Database(read_address(url, "decision log"))
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return DecisionLog(database)


class DecisionLog:
    """Decisions, their outcomes, and the texts that a replay needs. Its methods may run in any thread.

    Each method that writes returns when what it wrote is on the disk, and raises
    :class:`StorageError` where that is not known.

    Parameters
    ----------
    database : Database
        Up to date; see :func:`open_log`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.adding = database.insert(decisions)
        self.adding_one = self.adding.returning(decisions.c.seq)

    def record(self, new: NewDecision) -> LoggedDecision:
        """Put one decision on the disk, once.

        Returns
        -------
        LoggedDecision
            The decision, or the earlier one that was recorded under its idempotency key or id.

        Raises
        ------
        ConflictError
            The earlier one was asked differently (another ``request_hash``).
        StorageError
            The database is away; whether the decision was recorded is not known. Recording it again
            under the same key and id is safe.
        """
        logged = self.record_each([new])[0]
        if isinstance(logged, ConflictError):
            raise logged
        return logged

    def record_each(self, news: Sequence[NewDecision]) -> list[LoggedDecision | ConflictError]:
        """Like :meth:`record` for each, in one transaction; a conflict of one leaves the others alone."""
        return self.database.write(lambda connection: [self._recorded(connection, new) for new in news])

    def _recorded(self, connection: Connection, new: NewDecision) -> LoggedDecision | ConflictError:
        seq = connection.execute(self.adding_one, vars(new)).scalar()
        if seq is not None:
            return LoggedDecision(**vars(new), seq=seq)
        where, earlier = earlier_decision(connection, new)
        if earlier.request_hash == new.request_hash:
            return earlier
        return ConflictError(
            where, "the request it was first used for", "another request", next_step="Use a new one"
        )

    def record_many(self, news: Sequence[NewDecision]) -> None:
        """Put all of a batch's decisions on the disk, or none; fast.

        A decision whose id is recorded already is left as it is.

        Raises
        ------
        ConflictError
            An idempotency key belongs to another decision; nothing was recorded.
        StorageError
            The database is away; recording all again is safe.
        """
        self.database.write(lambda connection: self._recorded_many(connection, news))

    def _recorded_many(self, connection: Connection, news: Sequence[NewDecision]) -> None:
        for chunk in chunks(news):
            added = connection.execute(self.adding, [vars(new) for new in chunk]).rowcount
            if added == len(chunk):
                continue
            wanted = {new.decision_id for new in chunk}
            query = select(decisions.c.decision_id).where(decisions.c.decision_id.in_(wanted))
            absent = wanted - set(connection.scalars(query))
            if absent:
                raise ConflictError(
                    "decisions", "an idempotency key of their own", "one of another decision",
                    count=len(absent), total=len(news), examples=sorted(absent),
                )  # fmt: skip

    def decision(self, decision_id: str) -> LoggedDecision:
        """The decision of this id; :class:`UsageError` where there is none."""
        found = self.database.read(lambda c: found_decision(c, decisions.c.decision_id == decision_id))
        if found is None:
            raise UsageError(f"unknown decision {decision_id}", UNKNOWN_STEP)
        return found

    def by_key(self, key: str) -> LoggedDecision | None:
        """The decision recorded under an idempotency key, if there is one."""
        return self.database.read(lambda c: found_decision(c, decisions.c.idempotency_key == key))

    def keep(self, contents: Mapping[str, str]) -> None:
        """Keep texts that decisions refer to by hash, such as a catalog; what is kept already stays.

        Parameters
        ----------
        contents : mapping
            Hash to text.

        Raises
        ------
        ConflictError
            Another text is kept under one of the hashes; nothing was kept.
        """
        self.database.write(lambda connection: self._kept(connection, contents))

    def _kept(self, connection: Connection, contents: Mapping[str, str]) -> None:
        for name, content in contents.items():
            connection.execute(self.database.insert(artifacts), {"hash": name, "content": content})
            if found_artifact(connection, name) != content:
                raise ConflictError(f"artifact {name}", "the text kept under this hash", "another one")

    def artifact(self, name: str) -> str:
        """The text kept under a hash; :class:`UsageError` where there is none."""
        found = self.database.read(lambda connection: found_artifact(connection, name))
        if found is None:
            raise UsageError(f"unknown artifact {name}", "Ask the log that recorded the decision")
        return found

    def attach(self, told: Iterable[Outcome]) -> tuple[int, int]:
        """Attach all outcomes to their decisions, or none.

        Parameters
        ----------
        told : iterable of Outcome
            Read once, a part at a time.

        Returns
        -------
        tuple of int
            How many were attached, and how many were there already.

        Raises
        ------
        UsageError
            A decision is unknown.
        ConflictError
            Another outcome is attached to a decision.
        DataError
            An outcome that does not fit its decision: an offer that was not made, a time before it.
        StorageError
            The database is away; attaching all again is safe.
        """
        attachment = self.try_to_attach(told)
        if attachment.refused:
            raise refusal(attachment)
        return attachment.attached, attachment.present

    def try_to_attach(self, told: Iterable[Outcome], *, check_only: bool = False) -> Attachment:
        """Like :meth:`attach`, but everything that does not fit is looked for and returned.

        Parameters
        ----------
        told : iterable of Outcome
            Read once, a part at a time.
        check_only : bool
            Whether to attach nothing even where all fit.
        """

        def work(connection: Connection) -> Attachment:
            attaching = Attaching(connection, self.database.insert(outcomes))
            for chunk in chunks(told):
                attaching.add(chunk)
            if attaching.refused or check_only:
                connection.rollback()
            return attaching.result()

        # An iterable that was read in part cannot be read again.
        return self.database.write(work, again=False)

    def outcomes(self, decision_id: str) -> list[Outcome]:
        """What came of a decision: one outcome or none."""
        found = self.database.read(lambda connection: attached_outcomes(connection, {decision_id}))
        return list(found.values())

    def close(self) -> None:
        """Close the connections; what was recorded is on the disk already."""
        self.database.close()


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists of at most :data:`CHUNK`."""
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def earlier_decision(connection: Connection, new: NewDecision) -> tuple[str, LoggedDecision]:
    """What keeps a decision from being added: its key's or its id's earlier one, and which it is."""
    if new.idempotency_key is not None:
        by_key = found_decision(connection, decisions.c.idempotency_key == new.idempotency_key)
        if by_key is not None:
            return f"idempotency key {new.idempotency_key}", by_key
    row = connection.execute(select(decisions).where(decisions.c.decision_id == new.decision_id)).one()
    return f"decision {new.decision_id}", LoggedDecision(**row._mapping)


def found_decision(connection: Connection, condition: Any) -> LoggedDecision | None:
    row: Row[Any] | None = connection.execute(select(decisions).where(condition)).first()
    return None if row is None else LoggedDecision(**row._mapping)


def found_artifact(connection: Connection, name: str) -> str | None:
    return connection.scalar(select(artifacts.c.content).where(artifacts.c.hash == name))
