"""A checked store: what every command but ``nbo check`` reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbo.asof import AsOf, month_starts
from nbo.engine import Embedded, Engine
from nbo.errors import DataError, UsageError
from nbo.files import read_manifest
from nbo.tables.catalog import TABLES
from nbo.tables.coverage import first_seen

KIND = "store"
VERSION = 1
CONTRACT_VERSION = 1
"""Raised whenever the meaning of a contract column changes, so that features are built anew."""
CHECK = "Run nbo check"
FLOW_TABLES = ("calls", "usage", "bills")
"""Tables that get rows every day or month of an account's life: where they begin, the data begin."""


@dataclass(frozen=True)
class Store:
    """A folder that passed its check.

    Parameters
    ----------
    root : Path
    manifest : mapping
        The facts of ``MANIFEST.json``.
    """

    root: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path) -> "Store":
        """Open a fit store.

        Raises
        ------
        DataError
            Where the folder is none, half-written, of another version, or failed its check.
        """
        manifest = read_manifest(root, CHECK)
        if manifest.get("kind") != KIND:
            raise DataError(str(root), "a store", f"kind {manifest.get('kind')!r}", next_step=CHECK)
        versions = (manifest.get("version"), manifest.get("contract_version"))
        if versions != (VERSION, CONTRACT_VERSION):
            expected = f"a store of version {VERSION}.{CONTRACT_VERSION}"
            raise DataError(str(root), expected, "another version", next_step=f"{CHECK} again")
        if manifest.get("fit") is not True:
            failed = manifest.get("failed", 0)
            rules = "1 failed rule" if failed == 1 else f"{failed} failed rules"
            raise DataError(str(root), "a store that passed its check", rules, next_step=CHECK)
        store = cls(root, manifest)
        for name in manifest["tables"]:
            if not store.files(name):
                raise DataError(f"{root}/tables/{name}", "its files", "none", next_step=CHECK)
        return store

    @property
    def zone(self) -> str:
        return str(self.manifest["zone"])

    @property
    def currency(self) -> str:
        return str(self.manifest["currency"])

    @property
    def minor_digits(self) -> int:
        return int(self.manifest["minor_digits"])

    @property
    def store_id(self) -> str:
        return str(self.manifest["store_id"])

    @property
    def end_day(self) -> int:
        """First day that is not complete."""
        return int(self.manifest["end_day"])

    @property
    def latest(self) -> AsOf:
        """The newest date at which every day before it is complete."""
        return AsOf(self.end_day)

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the store has a table, or a column of it; an empty table is there."""
        facts = self.manifest["tables"].get(table)
        return facts is not None and (column is None or column in facts["columns"])

    def files(self, table: str) -> list[Path]:
        """A table's Parquet files, of a big one in the order of arrival; empty where it is absent."""
        return sorted((self.root / "tables" / table).glob("part-*.parquet"))

    def first_day(self, table: str, as_of: AsOf) -> int | None:
        """The first day that a table covers, as it looked at ``as_of``.

        What the mapping declares as ``covers_from``, else the oldest event then visible. None
        where nothing is covered yet or the table is absent.
        """
        facts = self.manifest["tables"].get(table)
        if facts is None:
            return None
        declared = facts["covers_from"]
        if declared is not None:
            return int(declared) if declared < as_of.day else None
        return first_seen(tuple((int(v), int(f)) for v, f in facts["first_visible"]), as_of.day)

    def as_of(self, text: str) -> AsOf:
        """Read ``"latest"`` or an ISO date.

        Raises
        ------
        UsageError
            With the range of dates there are data for.
        """
        if text == "latest":
            return self.latest
        when, first = AsOf.parse(text), self.first_as_of
        if not first <= when <= self.latest:
            raise UsageError(
                f"--as-of: expected a date from {first} to {self.latest}, got {text}", "Name one of these"
            )
        return when

    def as_ofs(self, text: str) -> list[AsOf]:
        """Read what :meth:`as_of` reads, or ``"FIRST..LAST"``: the first day of every month between them.

        Raises
        ------
        UsageError
            A date outside the data, or no first of a month between the two.
        """
        first, dots, last = text.partition("..")
        if not dots:
            return [self.as_of(text)]
        found = list(month_starts(self.as_of(first), self.as_of(last)))
        if not found:
            raise UsageError(
                f"--as-of: expected the first of a month between the two dates, got {text}", "Widen the range"
            )
        return found

    @property
    def first_as_of(self) -> AsOf:
        """The first date at which a fact of daily life is visible; in a store without such tables,
        any fact. What is true of a customer may reach back long before the data do."""
        seen = {
            name: int(facts["first_visible"][0][0])
            for name, facts in self.manifest["tables"].items()
            if facts["first_visible"]
        }
        flows = [seen[name] for name in FLOW_TABLES if name in seen]
        return AsOf(min([*(flows or seen.values()), self.end_day]))

    def connect(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        spill_folder: Path | None = None,
    ) -> Embedded:
        """An engine with a view for each contract, under the table's name.

        Columns and tables that the source does not have are there too, null or empty, so that one
        SQL text runs on every store; :meth:`has` tells them apart.
        """
        engine = Embedded(threads=threads, memory_limit=memory_limit, spill_folder=spill_folder)
        self.show(engine)
        return engine

    def show(self, engine: Engine) -> None:
        """Give an engine the views of :meth:`connect`."""
        for name, table in TABLES.items():
            missing = {c.name: c.sql_type for c in table.columns if not self.has(name, c.name)}
            engine.view(name, self.files(name) if self.has(name) else [], missing)


def written_parts(root: Path) -> dict[str, Path]:
    """The Parquet files that a store consists of, by their names below it, in their order."""
    found = [path for name in ("tables", "quarantine") for path in sorted((root / name).rglob("*.parquet"))]
    return {path.relative_to(root).as_posix(): path for path in found}
