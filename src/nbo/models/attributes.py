"""Attributes of a plain table as features: numbers as they are, dates as days, text as categories."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from nbo.bundle.vocabulary import MAX_CODES
from nbo.features.compiled import CompiledFeature
from nbo.tables.contract import ALL_PURPOSES, Words

__all__ = [
    "Attribute",
    "as_numbers",
    "attribute_column",
    "attribute_feature",
    "date_format",
    "days",
    "is_text",
    "plain_text",
    "undictionaried",
]

FAMILY, FAMILY_WORDS = "customer", Words("Customer", "客户")
SECONDS_A_DAY = 86_400
FIRST_YEAR_SECONDS = -30_610_224_000
"""1 January 1000: an earlier "year" is a day or a year of two digits read in the wrong place."""
DAY_FIRST, MONTH_FIRST = "%d{0}%m{0}%Y", "%m{0}%d{0}%Y"
OTHER_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
SEPARATORS = ("/", "-", ".")
CLOCKS = ("", " %H:%M", " %H:%M:%S")


class Attribute(NamedTuple):
    """A column as a feature with its values; the format of the dates that its text held, if it did."""

    feature: CompiledFeature
    values: pa.Array
    date_format: str | None = None


def attribute_column(column: pa.ChunkedArray, name: str, place: int) -> Attribute | str:
    """A feature with its values, or why the column cannot be one.

    Parameters
    ----------
    column : pa.ChunkedArray
        Of any type, null = not known.
    name : str
        As in the file; the feature is named by its place, since boosters refuse some characters.
    place : int
        From 0.
    """
    values = undictionaried(column)
    if is_text(values.type):
        values = plain_text(values)
        format_ = date_format(pc.unique(values.drop_null()))
        if format_ is not None:
            feature = attribute_feature(f"attribute_{place}", name, "number", "days")
            return Attribute(feature, days(values, format_), format_)
        distinct = len(pc.unique(values.drop_null()))
        if distinct > MAX_CODES and distinct == len(values) - values.null_count:
            return "its text differs in every row"
        return Attribute(attribute_feature(f"attribute_{place}", name, "category", "code"), values)
    numbers = as_numbers(values)
    if numbers is None:
        return f"expected numbers, dates or text, got {values.type}"
    unit = "days" if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type) else "number"
    return Attribute(attribute_feature(f"attribute_{place}", name, "number", unit), numbers)


def undictionaried(column: pa.ChunkedArray) -> pa.Array:
    """The values themselves of a column that may hold places in a dictionary."""
    values = column.combine_chunks()
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def plain_text(values: pa.Array) -> pa.Array:
    """Text with blanks alone as null."""
    values = values.cast(pa.string())
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(values), ""), pa.scalar(None, pa.string()), values)


def attribute_feature(name: str, words: str, kind: str, unit: str) -> CompiledFeature:
    """A feature of the customer's family that no SQL computes."""
    category = kind == "category"
    return CompiledFeature(
        name=name,
        kind="category" if category else "number",
        unit=unit,
        family=FAMILY,
        family_words=FAMILY_WORDS,
        words=Words(words, words),
        columns=(words,),
        purposes=ALL_PURPOSES,
        null_means="not known",
        sql_type="VARCHAR" if category else "DOUBLE",
    )


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are text, however Arrow keeps it."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def as_numbers(values: pa.Array) -> pa.Array | None:
    """Numbers as doubles, dates as days since 1970-01-01, times as seconds; None for anything else."""
    kind = values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        instants = values.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
        return pc.divide(instants.cast(pa.int64()).cast(pa.float64(), safe=False), SECONDS_A_DAY * 1e6)
    if pa.types.is_time(kind):
        return pc.divide(values.cast(pa.time64("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        return None
    return values.cast(pa.float64(), safe=False)


def days(texts: pa.Array, format_: str) -> pa.Array:
    """Days since 1970-01-01; null where the format does not read the text.

    Examples
    --------
    >>> days(pa.array(["1/2/2019", None, "soon"]), "%d/%m/%Y").to_pylist()
    [17928.0, None, None]
    """
    return pc.divide(seconds(texts, format_), float(SECONDS_A_DAY))


def date_format(distinct: pa.Array) -> str | None:
    """The format that reads every one of some texts; None = there is none.

    Notes
    -----
    Where every value can be read with the day first and with the month first, the day is the part
    with fewer unlike values (such as always 1), else the first.

    Examples
    --------
    >>> date_format(pa.array(["1/2/2019", "1/12/2019"]))
    '%d/%m/%Y'
    >>> date_format(pa.array(["12 Elm Street", "1/2/2019"])) is None
    True
    """
    if not len(distinct):
        return None
    for clock in CLOCKS:
        for separator in SEPARATORS:
            formats = [one.format(separator) + clock for one in (DAY_FIRST, MONTH_FIRST)]
            able = [one for one in formats if reads_all(distinct, one)]
            if able:
                return able[-1] if len(able) == 2 and day_stands_second(distinct, separator) else able[0]
        for one in OTHER_DAYS:
            if reads_all(distinct, one + clock):
                return one + clock
    return None


def seconds(texts: pa.Array, format_: str) -> pa.Array:
    """Seconds since 1970 as doubles; null where the format does not read the text, or before 1000."""
    instants = pc.strptime(texts, format=format_, unit="s", error_is_null=True).cast(pa.int64())
    return pc.if_else(pc.less(instants, FIRST_YEAR_SECONDS), None, instants).cast(pa.float64())


def reads_all(distinct: pa.Array, format_: str) -> bool:
    return all(not seconds(part, format_).null_count for part in (distinct.slice(0, 20), distinct))


def day_stands_second(distinct: pa.Array, separator: str) -> bool:
    """Whether the second part of the dates has fewer unlike values than the first."""
    parts = pc.split_pattern(distinct, separator)
    first, second = (len(pc.unique(pc.list_element(parts, place))) for place in (0, 1))
    return bool(second < first)
