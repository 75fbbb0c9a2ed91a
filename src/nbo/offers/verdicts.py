"""Who may have which offer: all accounts by SQL, one account by closures, with equal verdicts.

A verdict is the position of the first rule that does not allow the offer, or -1. Both ways start from
the same plan: every rule folded for every offer, equal conditions and equal ``any()`` kept once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nbo.asof import AsOf
from nbo.engine import BATCH_MEMORY, Embedded
from nbo.errors import DataError
from nbo.features.build import build_features
from nbo.features.compiled import CompiledFeatures
from nbo.features.snapshots import PART
from nbo.offers.catalog import Offer
from nbo.offers.expression_rows import Evaluate, Row, Rows, Seen, evaluator, row_finder
from nbo.offers.expression_sql import PREFIX, allows_sql, answers_sql, feature_sql, rows_sql, verdict_sql
from nbo.offers.expressions import AnyRow, Kind, Node, Read, columns_read, merged, walk
from nbo.offers.facts import AccountFacts
from nbo.offers.folding import fold
from nbo.offers.rules import Rules
from nbo.tables.store import Store

Verdicts = npt.NDArray[np.int8]
ALLOWED = -1
CONTEXTS = 64
"""Contexts that a judge keeps prepared: every channel, on several dates."""


@dataclass(frozen=True)
class Context:
    """What a request adds to offer and account: the channel, and the date it is decided for."""

    channel: str
    as_of: AsOf


@dataclass(frozen=True)
class Plan:
    """Rules folded for offers and a context, with what is equal kept once.

    Parameters
    ----------
    conditions : tuple of Node
        The different ones, over features and ``any()`` alone.
    places : ndarray of shape (k, r)
        Which of them each of r rules is for each of k offers.
    terms : tuple of AnyRow
        The different ``any()`` in the conditions.
    """

    conditions: tuple[Node, ...]
    places: npt.NDArray[np.intp]
    terms: tuple[AnyRow, ...]

    @classmethod
    def of(cls, folded: Sequence[Sequence[Node]], context: Context) -> "Plan":
        """The plan of rules that are folded for each offer, in a context."""
        given: dict[str, str | float] = {"channel": context.channel, "as_of": float(context.as_of.day)}
        known: dict[Node, Node] = {}
        places: dict[Node, int] = {}
        table = []
        for conditions in folded:
            for node in conditions:
                if node not in known:
                    known[node] = fold(node, {"context": given})
            table.append([places.setdefault(known[node], len(places)) for node in conditions])
        terms = dict.fromkeys(n for condition in places for n in walk(condition) if isinstance(n, AnyRow))
        shape = (len(folded), len(folded[0]) if folded else 0)
        return cls(tuple(places), np.array(table, dtype=np.intp).reshape(shape), tuple(terms))


def fold_offers(rules: Rules, offers: Sequence[Offer]) -> list[list[Node]]:
    """Every rule with the attributes of every offer folded in; one list an offer."""
    attributes = [offer.attributes() for offer in offers]
    return [[fold(rule.allow.root, {"offer": given}) for rule in rules.rules] for given in attributes]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan as closures: the ``any()`` first, then the conditions over their answers."""

    finders: tuple[Callable[[Row, Rows], bool], ...]
    conditions: tuple[Evaluate, ...]
    places: npt.NDArray[np.intp]

    @classmethod
    def of(cls, plan: Plan) -> "Prepared":
        """The closures of a plan."""
        numbers = {term: number for number, term in enumerate(plan.terms)}
        conditions = tuple(evaluator(node, numbers) for node in plan.conditions)
        return cls(tuple(map(row_finder, plan.terms)), conditions, plan.places)


class Judge:
    """Verdicts for one account at a time; what does not depend on the account is worked out before.

    Parameters
    ----------
    rules : Rules
    offers : tuple of Offer
        The k offers, in the order of the verdicts.
    """

    def __init__(self, rules: Rules, offers: tuple[Offer, ...]) -> None:
        self._folded = fold_offers(rules, offers)
        self._prepared: dict[Context, Prepared] = {}

    def verdicts(self, facts: AccountFacts, context: Context) -> Verdicts:
        """Verdicts of all offers for one account.

        Returns
        -------
        ndarray of shape (k,), int8
            Position of the stopping rule in ``rules.rules``, -1 = allowed.

        Raises
        ------
        DataError
            The facts lack something that the rules read.
        """
        prepared = self.prepared(context)
        try:
            answers = [finder(facts.features, facts.tables) for finder in prepared.finders]
            seen = Seen(facts.features, answers)
            flags = [run(seen) is True for run in prepared.conditions]
        except KeyError as error:
            raise DataError("facts", f"{error.args[0]}, which the rules read", "none") from None
        return first_stops(np.array(flags, dtype=np.bool_)[prepared.places])

    def prepared(self, context: Context) -> Prepared:
        """The closures of a context, made when it is asked for first."""
        found = self._prepared.get(context)
        if found is None:
            if len(self._prepared) >= CONTEXTS:
                self._prepared.clear()
            found = self._prepared[context] = Prepared.of(Plan.of(self._folded, context))
        return found


def first_stops(allowed: npt.NDArray[np.bool_]) -> Verdicts:
    """The place of the first False of each row, -1 where there is none.

    Examples
    --------
    >>> first_stops(np.array([[True, False, False], [True, True, True]])).tolist()
    [1, -1]
    """
    if not allowed.shape[1]:
        return np.full(len(allowed), ALLOWED, dtype=np.int8)
    return np.where(allowed.all(axis=1), ALLOWED, allowed.argmin(axis=1)).astype(np.int8)


def verdict_stream(
    store: Store,
    rules: Rules,
    offers: tuple[Offer, ...],
    compiled: CompiledFeatures,
    context: Context,
    batch_rows: int = 50_000,
) -> Iterator[tuple[list[str], Verdicts]]:
    """Verdicts for every account of the population, block by block, in one SQL text.

    Parameters
    ----------
    store, rules, offers
        Who is judged, by what, for which k offers.
    compiled : CompiledFeatures
        The features that the rules were read with.
    context : Context
    batch_rows : int
        Accounts in a block, at most. Memory grows with it; beyond that it is bounded.

    Yields
    ------
    (list of str, ndarray of shape (n, k), int8)
        Account ids in ascending order, and what :meth:`Judge.verdicts` gives for each.

    Raises
    ------
    BusyError
        Another job builds the same features.
    """
    snapshot = build_features(store, compiled, context.as_of)
    plan = Plan.of(fold_offers(rules, offers), context)
    with (
        TemporaryDirectory(prefix="nbo-verdicts-") as spill,
        store.connect(memory_limit=BATCH_MEMORY, spill_folder=Path(spill)) as engine,
    ):
        engine.view("snapshot", [snapshot.folder / PART])
        keep_answers(engine, plan, context.as_of)
        first = 0
        for batch in snapshot.batches(batch_rows):
            block = pa.Table.from_batches([batch])
            position = pa.array(np.arange(first, first + len(block)))
            engine.register("block", block.append_column("position", position))
            found = engine.query(block_sql(plan, first, first + len(block)))
            verdicts = np.empty((len(block), len(offers)), dtype=np.int8)
            for column in range(len(offers)):
                verdicts[:, column] = found[f"v{column}"].to_numpy()
            yield block["account_id"].to_pylist(), verdicts
            first += len(block)


def keep_answers(engine: Embedded, plan: Plan, as_of: AsOf) -> None:
    """Read each table once: the answers of every ``any()`` over it, by the account's place."""
    inside = features_of(plan.terms)
    chosen = ", ".join([*(feature_sql(name, kind) for name, kind in inside.items()), "account_id"])
    engine.execute(
        f"CREATE TEMP TABLE population AS SELECT {chosen}, "
        "row_number() OVER (ORDER BY account_id) - 1 AS position FROM snapshot"
    )
    columns = merged(columns_read(term) for term in plan.terms)
    for table, terms in terms_by_table(plan).items():
        taken = [f"{PREFIX['feature']}{name}" for name in inside]
        taken += [f"{PREFIX['row']}{name}" for name in columns[table]]
        relation = (
            f"SELECT {', '.join(['position', *taken])} "
            f"FROM ({rows_sql(table, columns[table], as_of)}) AS seen "
            "JOIN population ON population.account_id = seen.account_id"
        )
        engine.execute(
            f"CREATE TEMP TABLE {table}_answers AS {answers_sql(terms, relation)} ORDER BY position"
        )


def features_of(nodes: Sequence[Node]) -> dict[str, Kind]:
    """Features that are read anywhere in these nodes, with their kinds."""
    reads = [n for node in nodes for n in walk(node) if isinstance(n, Read) and n.place == "feature"]
    return {read.name: read.kind for read in sorted(reads, key=lambda read: read.name)}


def terms_by_table(plan: Plan) -> dict[str, dict[AnyRow, str]]:
    """The ``any()`` over each table, each with the name of its column."""
    found: dict[str, dict[AnyRow, str]] = {}
    for number, term in enumerate(plan.terms):
        found.setdefault(term.table, {})[term] = f"a{number}"
    return found


def block_sql(plan: Plan, first: int, stop: int) -> str:
    """Verdicts of the accounts at the places ``[first, stop)``: one column an offer."""
    tables = terms_by_table(plan)
    names = {term: name for terms in tables.values() for term, name in terms.items()}
    known = [feature_sql(name, kind) for name, kind in features_of(plan.conditions).items()]
    known += [f"coalesce({name}, FALSE) AS {name}" for name in names.values()]
    joins = [
        f"LEFT JOIN (SELECT * FROM {table}_answers WHERE position >= {first} AND position < {stop}) "
        f"AS {table}_here ON {table}_here.position = block.position"
        for table in tables
    ]
    facts = f"SELECT {', '.join(['block.position AS position', *known])} FROM block {' '.join(joins)}"
    texts = [allows_sql(condition, names) for condition in plan.conditions]
    flags = [f"{text} AS e{number}" for number, text in enumerate(texts)]
    judged = f"SELECT {', '.join(['position', *flags])} FROM ({facts})"
    columns = {n: text if text in ("TRUE", "FALSE") else f"e{n}" for n, text in enumerate(texts)}
    verdicts = [
        f"CAST({verdict_sql(places, columns)} AS TINYINT) AS v{offer}"
        for offer, places in enumerate(plan.places.tolist())
    ]
    return f"SELECT {', '.join(['position', *verdicts])} FROM ({judged}) ORDER BY position"
