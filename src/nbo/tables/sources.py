"""The operator's files: found, checked to be whole, and readable as one relation per layout.

A file is read to its end once before anything is taken from it, so that a cut gzip or a damaged
Parquet page is told by the name of the file and never leaves half a table.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from nbo.engine.embedded import identifier, literal
from nbo.errors import DataError
from nbo.files import sha256_file

RawType = Literal["text", "int", "decimal", "float", "bool", "date", "timestamp", "instant", "other"]
"""What a source column is: ``timestamp`` has no offset (operator's zone), ``instant`` has one."""

FILE_COLUMN = "__nbo_file"
ENDINGS = (".csv", ".csv.gz", ".parquet")
CHUNK = 1 << 20
UNREADABLE = "Write the file again, run nbo check"


@dataclass(frozen=True)
class RawFile:
    """One readable file: its name below the data folder, its digest and its columns."""

    path: Path
    name: str
    columns: Mapping[str, RawType]

    @property
    def is_csv(self) -> bool:
        return not self.name.endswith(".parquet")


@dataclass(frozen=True)
class Relation:
    """Files of one layout as a SQL relation; a CSV one lists its broken lines in ``rejects``."""

    sql: str
    columns: Mapping[str, RawType]
    rejects: str | None


def find_files(data: Path, patterns: Sequence[str]) -> list[Path]:
    """Files that match any of the globs, each once, by name."""
    found = {path for pattern in patterns for path in data.glob(pattern) if path.is_file()}
    return sorted(found)


def digests(data: Path, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file by its name below the data folder."""
    return {path.relative_to(data).as_posix(): sha256_file(path) for path in sorted(set(paths))}


def data_files(data: Path) -> list[Path]:
    """Every file that looks like a table, so that one which no source names can be told."""
    return sorted(p for p in data.rglob("*") if p.is_file() and p.name.endswith(ENDINGS))


def inspect_file(path: Path, data: Path, table: str, delimiter: str) -> RawFile:
    """Read a file to its end and learn its columns.

    Raises
    ------
    DataError
        Naming the file and what is wrong with it.
    """
    name = path.relative_to(data).as_posix()
    where = f"{table} ({name})"
    try:
        if name.endswith(".parquet"):
            return RawFile(path, name, parquet_columns(path))
        if not name.endswith(ENDINGS):
            raise DataError(
                where, "a .csv, .csv.gz or .parquet file", f"{path.suffix!r}", next_step=UNREADABLE
            )
        return RawFile(path, name, csv_columns(path, delimiter, where))
    except (pa.ArrowException, EOFError, zlib.error, OSError) as error:
        got = "an empty file" if path.stat().st_size == 0 else told(error)
        raise DataError(where, "a whole, readable file", got, next_step=UNREADABLE) from None


def told(error: Exception) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0][:160].rstrip(".")


def parquet_columns(path: Path) -> dict[str, RawType]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group)
        return {field.name: arrow_type(field.type) for field in file.schema_arrow}


def arrow_type(kind: pa.DataType) -> RawType:
    if pa.types.is_dictionary(kind):
        return arrow_type(kind.value_type)
    tests: tuple[tuple[RawType, bool], ...] = (
        ("text", pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)),
        ("int", pa.types.is_integer(kind)),
        ("decimal", pa.types.is_decimal(kind)),
        ("float", pa.types.is_floating(kind)),
        ("bool", pa.types.is_boolean(kind)),
        ("date", pa.types.is_date(kind)),
        ("instant", pa.types.is_timestamp(kind) and kind.tz is not None),
        ("timestamp", pa.types.is_timestamp(kind)),
    )
    return next((name for name, holds in tests if holds), "other")


def csv_columns(path: Path, delimiter: str, where: str) -> dict[str, RawType]:
    """The header's names; a compressed file is unpacked to its end to see that it is whole."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        first = file.readline()
        if path.suffix == ".gz":
            while file.read(CHUNK):
                pass
    try:
        header = first.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(
            where, "UTF-8 text", "another encoding in line 1", next_step="Convert the file to UTF-8"
        ) from None
    if not header:
        raise DataError(where, "a header line", "an empty first line", next_step=UNREADABLE)
    names = next(csv.reader([header], delimiter=delimiter))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(where, "each column once", f"{twice[0]!r} twice", next_step="Rename one of them")
    return dict.fromkeys(names, "text")


def relations(files: Sequence[RawFile], delimiter: str, tag: str) -> list[Relation]:
    """One relation per layout; ``tag`` makes the names of the lists of broken lines unique."""
    groups: dict[tuple[bool, tuple[tuple[str, RawType], ...]], list[RawFile]] = {}
    for file in files:
        groups.setdefault((file.is_csv, tuple(file.columns.items())), []).append(file)
    result = []
    for number, ((is_csv, columns), members) in enumerate(groups.items()):
        paths = "[" + ", ".join(literal(str(file.path)) for file in members) + "]"
        if is_csv:
            rejects = f"_rejects_{tag}_{number}"
            sql = csv_sql(paths, dict(columns), delimiter, rejects)
            result.append(Relation(sql, dict(columns), rejects))
        else:
            sql = f"read_parquet({paths}, filename = '{FILE_COLUMN}', hive_partitioning = false)"
            result.append(Relation(sql, dict(columns), None))
    return result


def csv_sql(paths: str, columns: Mapping[str, RawType], delimiter: str, rejects: str) -> str:
    typed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({paths}, auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{typed}}}, filename = '{FILE_COLUMN}', "
        f"store_rejects = true, rejects_table = '{rejects}', rejects_scan = '{rejects}_files')"
    )


def rejects_sql(rejects: str, data: Path, *, keep_text: bool) -> str:
    """Broken lines of a CSV relation as (reason, key, file, raw), one row a line."""
    # The text of a line may hold numbers that must not be stored in clear.
    text = "e.csv_line" if keep_text else "NULL"
    file, foreign = relative_sql("s.file_path", data), "e.error_type = 'INVALID ENCODING'"
    return (
        f"SELECT CASE WHEN bool_or({foreign}) THEN 'not UTF-8' ELSE 'broken line' END AS reason, "
        f"{file} || ':' || e.line AS key, {file} AS file, "
        f"to_json(struct_pack(line := e.line, text := any_value({text}), "
        "problem := any_value(e.error_message))) AS raw "
        f"FROM {identifier(rejects)} e JOIN {identifier(rejects + '_files')} s USING (scan_id, file_id) "
        "GROUP BY s.file_path, e.line"
    )


def relative_sql(column: str, data: Path) -> str:
    """A file's path as its name below the data folder."""
    return f"replace({column}, {literal(str(data) + '/')}, '')"
