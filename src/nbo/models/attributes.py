"""Attributes of a plain table as features: numbers as they are, dates as days, text as categories."""

import pyarrow as pa
import pyarrow.compute as pc

from nbo.bundle.vocabulary import MAX_CODES
from nbo.features.compiled import CompiledFeature
from nbo.tables.contract import ALL_PURPOSES, Words

__all__ = ["attribute_column", "attribute_feature"]

FAMILY, FAMILY_WORDS = "customer", Words("Customer", "客户")
SECONDS_A_DAY = 86_400
FIRST_YEAR_SECONDS = -30_610_224_000
"""1 January 1000: an earlier "year" is a day or a year of two digits read in the wrong place."""
DAY_FIRST, MONTH_FIRST = "%d{0}%m{0}%Y", "%m{0}%d{0}%Y"
OTHER_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
SEPARATORS = ("/", "-", ".")
CLOCKS = ("", " %H:%M", " %H:%M:%S")


def attribute_column(
    column: pa.ChunkedArray, name: str, place: int
) -> tuple[CompiledFeature, pa.Array] | str:
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
    values = column.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if is_text(values.type):
        values = values.cast(pa.string())
        values = pc.if_else(
            pc.equal(pc.utf8_trim_whitespace(values), ""), pa.scalar(None, pa.string()), values
        )
        days = parsed_days(values)
        if days is not None:
            return attribute_feature(f"attribute_{place}", name, "number", "days"), days
        distinct = len(pc.unique(values.drop_null()))
        if distinct > MAX_CODES and distinct == len(values) - values.null_count:
            return "its text differs in every row"
        return attribute_feature(f"attribute_{place}", name, "category", "code"), values
    numbers = as_numbers(values)
    if numbers is None:
        return f"expected numbers, dates or text, got {values.type}"
    unit = "days" if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type) else "number"
    return attribute_feature(f"attribute_{place}", name, "number", unit), numbers


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


def parsed_days(texts: pa.Array) -> pa.Array | None:
    """Days since 1970-01-01 of a text column whose every value is a date of one common format.

    Notes
    -----
    Where every value can be read with the day first and with the month first, the day is the part
    with fewer unlike values (such as always 1), else the first.

    Examples
    --------
    >>> parsed_days(pa.array(["1/2/2019", "1/12/2019", None])).to_pylist()
    [17928.0, 18231.0, None]
    >>> parsed_days(pa.array(["12 Elm Street", "1/2/2019"])) is None
    True
    """
    distinct = pc.unique(texts.drop_null())
    format_ = date_format(distinct)
    return pc.divide(seconds(texts, format_), float(SECONDS_A_DAY)) if format_ else None


def date_format(distinct: pa.Array) -> str | None:
    """The format that reads every one of some texts; None = there is none."""
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
