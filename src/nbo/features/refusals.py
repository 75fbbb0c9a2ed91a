"""What a declaration must be, verb by verb: each check says what to write instead."""

from collections.abc import Iterable, Sequence

from nbo.asof import Window
from nbo.errors import UsageError
from nbo.features.declared import CHARGE, LEAST_WEEKS, SECONDS, TIMED, WEEK, Feature, Graph
from nbo.features.rates import DESTINATION
from nbo.tables.catalog import contract
from nbo.tables.contract import SUMMABLE_KINDS, Table


def named(table: Table, column: str) -> str:
    """The column, if its values can be told apart and counted."""
    found = table.column(column)
    if found.kind not in ("key", "code"):
        raise UsageError(f"{table.name}.{column}: expected a key or code, got {found.kind}")
    return found.name


def summable(table: Table, name: str) -> str:
    """The column or its measure, if it can be added up."""
    found = table.column(name)
    if found.kind not in SUMMABLE_KINDS:
        raise UsageError(f"{table.name}.{name}: expected a summable column, got a {found.kind}")
    return found.measure.name if found.measure else found.name


def learnable(table: Table, column: str) -> str:
    """The column, if it is a value that a model may learn from."""
    found = table.column(column)
    if found.kind in ("key", "text", "day", "second"):
        raise UsageError(f"{table.name}.{column}: expected a value to learn from, got a {found.kind}")
    return found.name


def refuse_untimed(table: Table) -> None:
    """A table whose rows begin at an instant and last some time."""
    missing = [name for name in TIMED if name not in table.column_names]
    if missing:
        raise UsageError(f"{table.name}.peak: expected a table with {missing[0]}, such as calls")


def window_lengths(
    table: Table, verb: str, over: Sequence[Window] | None, *, state_now: bool
) -> list[int | None]:
    """Days of each window; one None for the state now, which has no window."""
    if state_now != (over is None):
        wanted = "no window after .now" if state_now else "over=days(...)"
        raise UsageError(f"{table.name}.{verb}: expected {wanted}, got over={over!r}")
    windows = [window for window in tuple_of(over) if isinstance(window, Window)]
    if over is not None and len(windows) != len(tuple_of(over)):
        raise UsageError(f"{table.name}.{verb}: expected over=days(7, 30), got over={over!r}")
    return [None] if over is None else [window.days for window in windows]


def told(value: object) -> str:
    """What somebody wrote where something else was expected."""
    written = getattr(value, "written", None)
    if isinstance(written, str):
        return written
    if callable(value):
        return f"{getattr(value, '__name__', 'a verb')} without its brackets"
    return repr(value)


def tuple_of(over: object) -> tuple[object, ...]:
    """What was given as windows, one or many."""
    return tuple(over) if isinstance(over, (list, tuple)) else (over,)


def only_totals(verb: str, features: Iterable[Feature]) -> None:
    """A verb that is made of counts or sums over a window."""
    for feature in features:
        if feature.verb not in ("count", "sum") or feature.leaf.window_days is None:
            raise UsageError(f"{verb}: expected a count or sum over a window, got {feature.verb}")


def only_same_table(verb: str, part: Table, whole: Table) -> None:
    """Rows of which the others are a part; of another table's rows a share would be any number."""
    if part.name != whole.name:
        raise UsageError(
            f"{verb}: expected rows of {part.name}, got rows of {whole.name}",
            "The share that one has in both together is share_beside(...)",
        )


def only_priced(verb: str, table: Table) -> None:
    """Rows that have a length and a charge, so that a second has a price."""
    if not {CHARGE, SECONDS} <= set(table.column_names):
        raise UsageError(f"{verb}: expected rows with {SECONDS} and {CHARGE}, got {table.name}")


def only_charges(verb: str, features: Iterable[Feature]) -> None:
    """A verb that rates anew what was charged, by destination."""
    for feature in features:
        leaf = feature.leaf
        if feature.verb != "sum" or leaf.column != CHARGE or leaf.window_days is None:
            raise UsageError(f"{verb}: expected a sum of {CHARGE} over a window, got {feature.verb}")
        if not {SECONDS, DESTINATION} <= set(leaf.table.column_names):
            raise UsageError(f"{verb}: expected rows with {SECONDS} and {DESTINATION}, got {leaf.source}")


def only_lengths(verb: str, features: Iterable[Feature]) -> None:
    """A verb that prices how long something lasted."""
    for feature in features:
        column = feature.leaf.column
        if feature.verb != "sum" or column is None or feature.leaf.table.column(column).name != SECONDS:
            raise UsageError(f"{verb}: expected a sum of minutes over a window, got {feature.verb}")


def only_sums_of_money(verb: str, features: Iterable[Feature]) -> None:
    """A verb that adds money to money."""
    for feature in features:
        column = feature.leaf.column
        if feature.verb != "sum" or column is None or feature.leaf.table.column(column).kind != "money":
            raise UsageError(f"{verb}: expected a sum of money over a window, got {feature.verb}")


def only_one_amount(verb: str, features: Sequence[Feature], got: str) -> None:
    """A base: one attribute that is money."""
    kinds = [f.leaf.table.column(f.leaf.column or "").kind for f in features if f.verb == "attribute"]
    if len(features) != 1 or kinds != ["money"]:
        raise UsageError(
            f'{verb}: expected an amount such as contracts.attribute("plan_base_amount"), got {got}'
        )


def only_one_window(verb: str, lengths: Sequence[int | None]) -> int:
    """The length of the one window."""
    if len(lengths) != 1 or lengths[0] is None:
        raise UsageError(f"{verb}: expected one window, such as over=days(90), got {len(lengths)}")
    return lengths[0]


def only_whole_weeks(verb: str, features: Iterable[Feature]) -> None:
    """A verb that looks at the course of weeks."""
    for feature in features:
        length = feature.leaf.window_days or 0
        if length % WEEK or length < LEAST_WEEKS * WEEK:
            raise UsageError(
                f"{verb}: expected a window of whole weeks, {LEAST_WEEKS} or more, got {length} days"
            )


def only_distinct(verb: str, features: Iterable[Feature]) -> None:
    """A verb that is made of distinct values over a window."""
    wrong = [f.verb for f in features if f.verb != "distinct" or f.leaf.window_days is None]
    if wrong:
        raise UsageError(f"{verb}: expected distinct values over a window, got {wrong[0]}")


def only_peaks(verb: str, features: Iterable[Feature]) -> None:
    """A verb that is made of peaks."""
    wrong = [f.verb for f in features if f.verb != "peak"]
    if wrong:
        raise UsageError(f"{verb}: expected a peak, got {wrong[0]}")


NUMBERS = ("attribute", "count", "days_since", "distinct", "max", "mean", "sum")


def only_numbers(verb: str, features: Iterable[Feature]) -> None:
    """A verb that is made of plain numbers."""
    for feature in features:
        leaf = feature.leaf
        told = feature.verb
        if told == "attribute" and leaf.table.column(leaf.column or "").kind in ("code", "flag"):
            told = f"{leaf.column}, a {leaf.table.column(leaf.column or '').kind}"
        if told not in NUMBERS:
            raise UsageError(f"{verb}: expected a number ({', '.join(NUMBERS)}), got {told}")


def only_shared(place: str) -> None:
    """A place that several accounts share."""
    column = contract("sites").column(place)
    if place in ("site_id", "account_id") or column.kind not in ("key", "code"):
        raise UsageError(f"neighbours: expected a place such as building_id or exchange_area, got {place!r}")


def only_counts(verb: str, features: Iterable[Feature]) -> None:
    """What other accounts can be asked for."""
    wrong = [f.verb for f in features if f.verb != "count" or f.leaf.window_days is None]
    if wrong:
        raise UsageError(f"{verb}: expected a count over a window, got {wrong[0]}")


def only_graphs(verb: str, value: object) -> None:
    """What tells who talks with whom."""
    if not isinstance(value, Graph):
        raise UsageError(f"{verb}: expected a graph such as calls.graph(over=days(90)), got {told(value)}")


def only_talks(verb: str, table: Table) -> None:
    """Rows that name the number at their other end."""
    if "counterparty_id" not in table.column_names:
        raise UsageError(f"{table.name}.{verb}: expected a table with counterparty_id, such as calls")
