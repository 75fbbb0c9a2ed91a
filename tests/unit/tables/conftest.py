"""A tiny operator in the canonical layout, as CSV files that a test may change."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbo.tables import CheckReport, Store, check_tables, load_mapping

KEY = b"k" * 32
TABLES = {
    "accounts": "account_id,valid_date,known_time,kind\nA1,2024-01-01,2024-01-01,company\n"
    "A2,2024-01-01,2024-01-01,consumer\n",
    "lines": "line_id,account_id,valid_date,known_time,state\nL1,A1,2024-01-01,2024-01-01,active\n"
    "L2,A2,2024-01-01,2024-01-01,active\n",
    "networks": "network_id,known_time,kind\nN0,2024-01-01,own\nN1,2024-01-01,rival\n",
    "calls": "call_id,account_id,line_id,event_time,known_time,direction,counterparty_id,network_id,"
    "duration_seconds,charge_amount\n"
    "C1,A1,L1,2024-03-01 10:00:00,2024-03-02 00:00:00,out,13800000001,N1,60,0.30\n"
    "C2,A1,L1,2024-03-02 11:30:00,2024-03-03 00:00:01,in,13800000002,N0,0,\n"
    "C3,A2,L2,2024-04-01 23:59:59,2024-04-02 12:00:00,out,13800000001,,5,1.005\n",
}
CALLS_HEADER = TABLES["calls"].splitlines()[0]


class Operator:
    """Raw tables in a folder; ``put`` replaces one, ``add`` appends lines to it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "raw"
        self.out = folder / "store"
        self.data.mkdir()
        for name, text in TABLES.items():
            self.put(name, text)

    def put(self, table: str, text: str | bytes) -> Path:
        path = self.data / f"{table}.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def add(self, table: str, *lines: str) -> None:
        path = self.data / f"{table}.csv"
        path.write_text(path.read_text() + "".join(f"{line}\n" for line in lines))

    def change(self, table: str, old: str, new: str) -> None:
        path = self.data / f"{table}.csv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def map(self, text: str) -> None:
        (self.data / "mapping.toml").write_text(text)

    def check(self, mapping: str | None = None, **options: object) -> CheckReport:
        return check_tables(self.data, self.out, load_mapping(mapping, self.data), key=KEY, **options)  # type: ignore[arg-type]

    def lines(self, mapping: str | None = None) -> list[str]:
        return [violation.line for violation in self.check(mapping).violations]

    def store(self, mapping: str | None = None, **options: object) -> Store:
        report = self.check(mapping, **options)
        assert report.ok, [violation.line for violation in report.violations]
        return Store.open(self.out)

    def rows(self, table: str, *columns: str) -> list[tuple[object, ...]]:
        read = pa.concat_tables([pq.read_table(path) for path in Store.open(self.out).files(table)])
        return list(zip(*(read.column(name).to_pylist() for name in columns), strict=True))

    def quarantine(self, table: str) -> list[dict[str, object]]:
        return pq.read_table(self.out / "quarantine" / f"{table}.parquet").to_pylist()


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def new_operator(tmp_path: Path) -> Callable[[str], Operator]:
    """A further operator of this name, with the same tables."""

    def make(name: str) -> Operator:
        (tmp_path / name).mkdir()
        return Operator(tmp_path / name)

    return make
