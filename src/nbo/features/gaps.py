"""What a store cannot tell a feature: columns it lacks, history too short, networks that it does not name."""

import re
from collections.abc import Sequence

from nbo.asof import AsOf
from nbo.engine import Engine
from nbo.errors import DataError
from nbo.features.compiled import CompiledFeatures
from nbo.features.parameters import NETWORK_KINDS
from nbo.features.rates import RATE
from nbo.features.stages import parted
from nbo.tables.store import Store

COVERED = re.compile(r"\$first_([a-z_]+) (<=?) \$as_of(?: - ([0-9]+))?")
SHOWN_NETWORKS = 12
NAMED_NETWORK = re.compile(r"\bnetwork_id = '([^']+)'")


def missing_features(store: Store, compiled: CompiledFeatures) -> dict[str, str]:
    """A note for each feature that reads a column which the source does not have."""
    notes = {}
    for feature in compiled.features:
        absent = [name for name in feature.columns if not store.has(*name.split("."))]
        if absent:
            table = absent[0].split(".")[0]
            notes[feature.name] = f"{absent[0] if store.has(table) else table} is not in the data"
    return notes


def short_features(store: Store, compiled: CompiledFeatures, as_of: AsOf) -> dict[str, str]:
    """A note for each feature whose window begins before the data do, as they looked at the date.

    Such a feature is null for every account. One that :func:`missing_features` tells of is not told again.
    """
    missing = missing_features(store, compiled)
    notes: dict[str, str] = {}
    for name, expression in expressions(compiled).items():
        for table, sign, days in COVERED.findall(expression):
            first, start = store.first_day(table, as_of), as_of.day - int(days or 0)
            if name in missing or (
                first is not None and (first < start or (sign == "<=" and first == start))
            ):
                continue
            since = "have none yet" if first is None else f"begin on {AsOf(first)}, later than the window"
            notes.setdefault(name, f"{table} {since} as of {as_of}")
    return notes


def expressions(compiled: CompiledFeatures) -> dict[str, str]:
    """The expression of each feature, over the relations of the SQL text."""
    _, chosen = parted(compiled.sql)
    lines = [line.rstrip(",").rpartition(" AS ") for line in chosen.splitlines()]
    return {name: expression for expression, _, name in lines if name in compiled.names}


def refuse_unknown_networks(engine: Engine, compiled: CompiledFeatures) -> None:
    """Refuse features that name a network which no row of ``networks`` has: they would count nothing.

    Raises
    ------
    DataError
        With the networks there are; a class such as ``rival`` is none.
    """
    rated = [name for name, _ in RATE.findall(compiled.sql) if name not in NETWORK_KINDS]
    named = dict.fromkeys([*NAMED_NETWORK.findall(compiled.sql), *rated])
    if not named:
        return
    rows = engine.query("SELECT DISTINCT network_id FROM networks ORDER BY 1")
    known = rows["network_id"].to_pylist()
    for network in named:
        if network not in known:
            raise DataError(
                "networks.network_id",
                f"{network!r}, which features name, among the networks",
                ", ".join(known[:SHOWN_NETWORKS]) or "no network at all",
                examples=naming(compiled.names, network),
                next_step="Correct the declaration, or bring the row of networks",
            )


def naming(names: Sequence[str], network: str) -> list[str]:
    """Names of features that hold a network's id among their conditions."""
    return [name for name in names if f"_{network}_" in f"_{name}_"]
