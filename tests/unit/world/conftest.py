"""One small demo operator for all tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from nbo.world import WorldConfig, simulate


def read_raw(folder: Path, name: str) -> pa.Table:
    if (folder / name).is_dir():
        return pa.concat_tables(
            pq.read_table(path) for path in sorted((folder / name).glob("part-*.parquet"))
        )
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    return pyarrow.csv.read_csv(folder / f"{name}.csv", convert_options=options)


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 accounts (two chunks) over 4 months with Spring Festival in it."""
    out = tmp_path_factory.mktemp("small") / "raw"
    simulate(WorldConfig(accounts=700, months=4, seed=3), out, lambda _: None)
    return out


@pytest.fixture(scope="session")
def raw(small_world: Path) -> Callable[[str], pa.Table]:
    return lambda name: read_raw(small_world, name)
