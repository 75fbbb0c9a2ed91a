"""How an operator's files become tables: the mapping, read from TOML.

A mapping names, for each table, the files it comes from and what each contract column is made
of. It is checked whole before any file is opened: an unknown key, table or column is an error.
"""

import tomllib
from collections.abc import Mapping as Frozen
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nbo.errors import UsageError
from nbo.tables.catalog import TABLES
from nbo.tables.contract import Kind, Table, close_matches

BUNDLED = Path(__file__).parent / "mappings"
DEFAULT = "canonical"
OWN = "mapping.toml"
"""A folder of data may hold its own mapping under this name."""

Unit = Literal[
    "seconds", "minutes", "hours", "major", "minor", "bytes", "kB", "KiB", "MB", "MiB", "GB", "GiB"
]
UNITS: Frozen[Kind, tuple[Unit, ...]] = {
    "second": ("seconds",),
    "seconds": ("seconds", "minutes", "hours"),
    "money": ("major", "minor"),
    "bytes": ("bytes", "kB", "KiB", "MB", "MiB", "GB", "GiB"),
}
"""Units a source may give a column in; the first is the default, except that ``second`` without
a unit is a time, not a number."""


class Strict(BaseModel):
    """Unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMap(Strict):
    """What one contract column is made of; a bare string is short for ``{ column = "…" }``.

    Parameters
    ----------
    column, columns, constant, absent
        Exactly one: a source column; several, joined by ``join`` (empty ones are left out); a
        value for every row; or ``absent = true``, the source does not have it.
    format : str or None
        strptime format of a text time, such as ``"%d/%m/%Y"``; None = ISO 8601.
    unit : str or None
        Unit of the source's numbers (:data:`UNITS`).
    codes : mapping
        Source value to our value, applied before anything else.
    pseudonym : bool
        Replace the value by its keyed hash.
    optional : bool
        A file without the column is no error; the contract column is then absent.
    """

    column: str | None = None
    columns: tuple[str, ...] = ()
    join: str = " "
    constant: str | bool | int | float | date | None = None
    absent: bool = False
    format: str | None = None
    unit: Unit | None = None
    codes: dict[str, str | int | float] = Field(default_factory=dict)
    pseudonym: bool = False
    optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def from_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def one_origin(self) -> Self:
        given = [self.column is not None, bool(self.columns), self.constant is not None, self.absent]
        if sum(given) != 1:
            raise ValueError("expected exactly one of column, columns, constant, absent")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Source columns it reads."""
        return (self.column,) if self.column is not None else self.columns


class Source(Strict):
    """Files of one layout that feed a table.

    Parameters
    ----------
    files : tuple of str
        Globs relative to the data folder; CSV (``.csv``, ``.csv.gz``, UTF-8) or Parquet.
    latency_days : int or None
        For a source that does not say when a fact reached us: whole days from the event until
        it had; ``known_day`` is rounded up.
    where_present : str or None
        Take only rows in which this source column is not empty.
    reduce : "sum" or None
        The rows are finer than the table's key: add them up.
    raw_key : tuple of str
        With ``reduce``: source columns that identify a fine row, so that repeats are found.
    optional : bool
        No file at all is no error.
    """

    files: tuple[str, ...]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    latency_days: Annotated[int, Field(ge=0)] | None = None
    where_present: str | None = None
    reduce: Literal["sum"] | None = None
    raw_key: tuple[str, ...] = ()
    optional: bool = False
    columns: dict[str, ColumnMap]

    @field_validator("files", mode="before")
    @classmethod
    def listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def mapped(self) -> dict[str, ColumnMap]:
        return {name: spec for name, spec in self.columns.items() if not spec.absent}


class TableMap(Strict):
    """The sources of one table, and what share of its rows may be quarantined (0 to 1)."""

    allowed_quarantined_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    covers_from: date | None = None
    sources: tuple[Source, ...] = ()


class Mapping(Strict):
    """A whole mapping.

    Parameters
    ----------
    zone, currency : str
        IANA zone of the operator; ISO 4217 code of every amount.
    minor_digits : int
        Decimals of the currency.
    complete_to : date or None
        Last complete day; None = the newest day of calls, usage and bills.
    covers_from : date or None
        First day the data cover, for every table that does not say its own.
    """

    zone: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    minor_digits: Annotated[int, Field(ge=0, le=4)] = 2
    complete_to: date | None = None
    covers_from: date | None = None
    tables: dict[str, TableMap] = Field(default_factory=dict)


def load_mapping(name_or_path: str | Path | None, data: Path) -> Mapping:
    """Read a mapping: a file, else a bundled name, else ``data/mapping.toml``, else canonical.

    Raises
    ------
    UsageError
        Naming the file and each key, table or column that is wrong, with close matches.
    """
    return parse_mapping(mapping_path(name_or_path, data))


def mapping_path(name_or_path: str | Path | None, data: Path) -> Path:
    if name_or_path is None:
        own = data / OWN
        return own if own.is_file() else BUNDLED / f"{DEFAULT}.toml"
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    bundled = {path.stem: path for path in sorted(BUNDLED.glob("*.toml"))}
    if str(name_or_path) in bundled:
        return bundled[str(name_or_path)]
    raise UsageError(
        f"--mapping: no file or bundled mapping {name_or_path}", "Bundled: " + ", ".join(bundled)
    )


def parse_mapping(path: Path) -> Mapping:
    """Read and check one mapping file, with what it extends."""
    content = extended(path, ())
    try:
        mapping = Mapping.model_validate(content)
    except ValidationError as error:
        found = [told(problem) for problem in error.errors(include_url=False)]
        raise UsageError(f"{path.name}: " + "; ".join(found[:4])) from None
    wrong = contract_problems(mapping)
    if wrong:
        raise UsageError(f"{path.name}: " + "; ".join(wrong[:4]))
    return mapping


def extended(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The content of a mapping over that of the bundled or neighbouring one it extends."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"{path}: expected TOML in UTF-8, got {error}") from None
    name = content.pop("extends", None)
    if name is None:
        return content
    near = path.parent / str(name)
    base = near if near.is_file() else BUNDLED / f"{name}.toml"
    if not base.is_file() or base in seen or base.resolve() == path.resolve():
        known = ", ".join(sorted(p.stem for p in BUNDLED.glob("*.toml")))
        raise UsageError(f"{path.name}: extends: expected another mapping, got {name!r}; known: {known}")
    return merged(extended(base, (*seen, path)), content)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables of TOML are merged key by key; anything else, lists too, is replaced.

    Examples
    --------
    >>> merged({"a": {"x": 1, "y": 2}, "b": [1]}, {"a": {"y": 3}, "b": [2]})
    {'a': {'x': 1, 'y': 3}, 'b': [2]}
    """
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def told(problem: Any) -> str:
    """One pydantic problem in one clause."""
    *parents, last = (str(part) for part in problem["loc"])
    where = ".".join((*parents, last))
    if problem["type"] == "extra_forbidden":
        return f"{where}: no such key{close_matches(last, known_keys(tuple(parents)))}"
    if problem["type"] == "missing":
        return f"{where}: expected a value, got none"
    reason = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {reason}, got {problem['input']!r}"


def known_keys(parents: tuple[str, ...]) -> list[str]:
    models: dict[int, type[Strict]] = {0: Mapping, 2: TableMap, 4: Source, 6: ColumnMap}
    return list(models.get(len(parents), Mapping).model_fields)


def contract_problems(mapping: Mapping) -> list[str]:
    """What in the mapping does not fit the contracts of the tables."""
    found = []
    for name, spec in mapping.tables.items():
        if name not in TABLES:
            found.append(f"tables.{name}: no such table{close_matches(name, list(TABLES))}")
            continue
        for number, source in enumerate(spec.sources):
            where = f"tables.{name}.sources.{number}"
            found += [f"{where}.{text}" for text in source_problems(TABLES[name], source)]
    return found


def source_problems(table: Table, source: Source) -> list[str]:
    found = []
    for name, spec in source.mapped.items():
        if name not in table.column_names:
            found.append(f"columns.{name}: no such column{close_matches(name, table.column_names)}")
        else:
            found += [f"columns.{name}.{text}" for text in column_problems(table, name, spec)]
    for column in table.columns:
        if not column.nullable and column.name not in source.mapped and column.name != "known_day":
            found.append(f"columns.{column.name}: expected a source for this required column, got none")
    latency = source.latency_days is not None
    if latency == ("known_day" in source.mapped):
        found.append(
            "latency_days: expected either it or columns.known_day, got " + ("both" if latency else "none")
        )
    if latency and table.event_column is None:
        found.append(f"latency_days: {table.name} have no event to count from; expected columns.known_day")
    if source.raw_key and not source.reduce:
        found.append('raw_key: expected reduce = "sum" with it, got none')
    return found


def column_problems(table: Table, name: str, spec: ColumnMap) -> list[str]:
    kind = table.column(name).kind
    found = []
    if spec.unit is not None and spec.unit not in UNITS.get(kind, ()):
        units = ", ".join(UNITS.get(kind, ())) or f"none for a {kind}"
        found.append(f"unit: expected {units}, got {spec.unit!r}")
    if spec.format is not None and kind not in ("day", "second"):
        found.append(f"format: expected a time column, got a {kind}")
    if spec.pseudonym and kind != "key":
        found.append(f"pseudonym: expected a key column, got a {kind}")
    return found
