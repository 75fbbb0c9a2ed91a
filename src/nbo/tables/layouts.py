"""Which files feed a table, and whether they have the columns the mapping names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbo.errors import DataError
from nbo.tables.contract import Table, close_matches
from nbo.tables.mapping import Source, TableMap
from nbo.tables.report import Violation
from nbo.tables.sources import RawFile, Relation, find_files, inspect_file, relations


@dataclass(frozen=True)
class Layout:
    """Files with the same columns, under one source of the mapping."""

    source: Source
    relation: Relation


@dataclass(frozen=True)
class Shelf:
    """The data folder, or some of its files; remembers those it has read to their end."""

    data: Path
    only: frozenset[str] | None = None
    seen: dict[tuple[Path, str], RawFile] = field(default_factory=dict)

    def part(self, names: Iterable[str]) -> "Shelf":
        """Only the files of these names."""
        return Shelf(self.data, frozenset(names), self.seen)

    def find(self, patterns: Sequence[str]) -> list[Path]:
        found = find_files(self.data, patterns)
        return [path for path in found if self.only is None or self.name(path) in self.only]

    def name(self, path: Path) -> str:
        """A file's name below the data folder."""
        return path.relative_to(self.data).as_posix()

    def inspect(self, path: Path, table: str, delimiter: str) -> RawFile:
        if (path, delimiter) not in self.seen:
            self.seen[path, delimiter] = inspect_file(path, self.data, table, delimiter)
        return self.seen[path, delimiter]


def table_layouts(shelf: Shelf, table: Table, spec: TableMap) -> tuple[list[Layout], list[Violation]]:
    """The layouts of a table, and what keeps its files from being read at all."""
    layouts: list[Layout] = []
    violations: list[Violation] = []
    for number, source in enumerate(spec.sources):
        files, unreadable = readable_files(shelf, table, source)
        violations += unreadable
        violations += list(missing_columns(table, source, files))
        if not files and not unreadable and not source.optional:
            violations.append(no_file(table, source))
        tag = f"{table.name}_{number}"
        layouts += [Layout(source, relation) for relation in relations(files, source.delimiter, tag)]
    if table.required and not layouts and not violations:
        violations.append(no_source(table, spec))
    return layouts, violations


def readable_files(shelf: Shelf, table: Table, source: Source) -> tuple[list[RawFile], list[Violation]]:
    files, violations = [], []
    for path in shelf.find(source.files):
        try:
            files.append(shelf.inspect(path, table.name, source.delimiter))
        except DataError as error:
            name = shelf.name(path)
            violations.append(
                Violation(
                    table.name,
                    None,
                    "unreadable file",
                    error.expected,
                    error.got,
                    error.next_step or "",
                    file=name,
                )
            )
    return files, violations


def missing_columns(table: Table, source: Source, files: list[RawFile]) -> Iterator[Violation]:
    for name, spec in source.mapped.items():
        for raw in spec.names:
            lacking = [file for file in files if raw not in file.columns]
            spared = spec.optional and table.column(name).nullable and len(lacking) == len(files)
            if lacking and not spared:
                yield missing_column(table, name, raw, lacking)
    others = [*source.raw_key, *([source.where_present] if source.where_present else [])]
    for raw in others:
        lacking = [file for file in files if raw not in file.columns]
        if lacking:
            yield missing_column(table, None, raw, lacking)


def missing_column(table: Table, name: str | None, raw: str, lacking: list[RawFile]) -> Violation:
    near = close_matches(raw, list(lacking[0].columns)).removeprefix("; ")
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return Violation(
        table.name,
        name,
        "missing column",
        f"source column {raw!r} in every file",
        f"none in {lacking[0].name}{more} ({near})",
        "Add the column, or correct its name in the mapping",
    )


def no_file(table: Table, source: Source) -> Violation:
    return Violation(
        table.name,
        None,
        "no file",
        "a file " + " or ".join(source.files),
        "none in the data folder",
        "Add the file, or correct files in the mapping",
    )


def no_source(table: Table, spec: TableMap) -> Violation:
    patterns = [pattern for source in spec.sources for pattern in source.files]
    return Violation(
        table.name,
        None,
        "required table without a source",
        "a file " + " or ".join(patterns[:3]) if patterns else f"a source in [tables.{table.name}]",
        "none",
        f"Add the {table.name} of the operator, or map where they are",
    )
