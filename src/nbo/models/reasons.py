"""Why an account is at risk, in the words of the retention team."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nbo.bundle import Bundle, Matrix
from nbo.errors import UsageError
from nbo.features.compiled import CompiledFeature, CompiledFeatures
from nbo.tables.catalog import TABLES

LANGUAGES = ("en", "zh")
UNKNOWN = {"en": "not known", "zh": "不详"}
SENTENCE = {"en": "{family} – {words}: {value}", "zh": "{family}：{words}为{value}"}
TYPICAL = {"en": " (typically {typical})", "zh": "（通常{typical}）"}
GONE, NEW = {"en": "all gone", "zh": "归零"}, {"en": "new", "zh": "新增"}
PASSED = {"en": "passed {days} days ago", "zh": "已过{days}天"}


@dataclass(frozen=True)
class Reason:
    """One family of features that pushes a row's risk up.

    Parameters
    ----------
    family : str
        The feature set.
    feature : str
        Its feature that pushes most.
    contribution : float
        What the whole family adds to the log-odds; above 0.
    text : str
        The leading feature's value in a sentence.
    """

    family: str
    feature: str
    contribution: float
    text: str


def reasons(
    bundle: Bundle,
    matrix: Matrix,
    rows: pa.Table,
    language: str,
    currency: str,
    minor_digits: int,
    top: int = 3,
) -> list[list[Reason]]:
    """The families that push each row's risk up, strongest first.

    Contributions within a family are added, so that ten windows of one fact are one reason.
    They say what moved the *score*, not what caused the risk.

    Parameters
    ----------
    bundle : Bundle
        With ``metadata["medians"]``, the typical values of training.
    matrix : ndarray of shape (n, F)
        ``bundle.encode(rows)``. Dear: ask for the rows that are shown.
    rows : pa.Table
        The raw values of the same rows.
    language : "en" or "zh"
        Of the sentences.
    currency : str
        Code shown beside money.
    minor_digits : int
        Decimals between minor and major units of money.
    top : int
        Families at most.

    Returns
    -------
    list of n lists of Reason
        In the order of the rows; fewer than ``top``, or none, where nothing pushes up.

    References
    ----------
    Lundberg et al. (2020), *From local explanations to global understanding with explainable AI
    for trees*, Nature Machine Intelligence 2.
    """
    if len(matrix) != rows.num_rows:
        raise UsageError(f"rows: expected those of the matrix, {len(matrix)}, got {rows.num_rows}")
    values = rows.select(bundle.features.column_names).to_pylist()
    teller = Teller(bundle.metadata.get("medians", {}), language, currency, minor_digits)
    return told_reasons(bundle, matrix, values, teller, top)


def told_reasons(
    bundle: Bundle, matrix: Matrix, values: Sequence[Mapping[str, object]], teller: "Teller", top: int
) -> list[list[Reason]]:
    """:func:`reasons` of rows whose raw values are at hand by name, in the words of a teller."""
    told = bundle.contributions(matrix)
    features, names = bundle.features.columns, bundle.features.column_names
    columns = family_columns(bundle.features)
    return [
        [
            Reason(family, names[lead], total, teller.sentence(features[lead], raw[names[lead]]))
            for family, lead, total in leading(told[row], columns, top)
        ]
        for row, raw in enumerate(values)
    ]


def family_columns(compiled: CompiledFeatures) -> dict[str, list[int]]:
    """Positions of the features of each family."""
    columns: defaultdict[str, list[int]] = defaultdict(list)
    for position, feature in enumerate(compiled.columns):
        columns[feature.family].append(position)
    return dict(columns)


def leading(told: Matrix, columns: Mapping[str, list[int]], top: int) -> list[tuple[str, int, float]]:
    """Families with a positive sum, largest first: name, leading column, sum."""
    sums = [
        (family, max(positions, key=lambda k: told[k]), float(told[positions].sum()))
        for family, positions in columns.items()
    ]
    pushing = [item for item in sums if item[2] > 0]
    return sorted(pushing, key=lambda item: (-item[2], item[0]))[:top]


@dataclass(frozen=True)
class Teller:
    """Turns a feature and its value into a sentence.

    Parameters
    ----------
    medians : mapping of str to float
        Typical values by feature name.
    language, currency, minor_digits
        As for :func:`reasons`.
    """

    medians: Mapping[str, float]
    language: str
    currency: str
    minor_digits: int

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise UsageError(f"language: expected en or zh, got {self.language!r}")

    def sentence(self, feature: CompiledFeature, value: object) -> str:
        """Family, feature and value, with the typical value where there is one."""
        family = feature.family_words.in_language(self.language)
        text = SENTENCE[self.language].format(
            family=family[:1].upper() + family[1:],
            words=feature.words.in_language(self.language),
            value=self.shown(feature, value),
        )
        # The middle one of several codes means nothing.
        if feature.name not in self.medians or feature.codes:
            return text
        return text + TYPICAL[self.language].format(typical=self.shown(feature, self.medians[feature.name]))

    def shown(self, feature: CompiledFeature, value: object) -> str:
        """A value in the unit people speak."""
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | float):
            return UNKNOWN[self.language] if value is None else code_text(feature, str(value), self.language)
        if np.isnan(value):
            return UNKNOWN[self.language]
        meant = dict(feature.codes).get(int(value))
        if meant is not None:
            return meant.in_language(self.language)
        if feature.unit == "money":
            return f"{value / 10**self.minor_digits:,.{self.minor_digits}f} {self.currency}"
        if feature.unit == "share":
            return f"{100 * value:.0f} %"
        if feature.unit == "trend":
            return change_text(value, self.language)
        if feature.unit == "days" and value < 0:
            return PASSED[self.language].format(days=number_text(-value))
        return number_text(value)


def code_text(feature: CompiledFeature, code: str, language: str) -> str:
    """A code in the words of its contract; an operator's own code as it is."""
    table, _, column = feature.columns[-1].partition(".")
    codes = {known.name: known.codes for known in TABLES[table].columns} if table in TABLES else {}
    words = codes.get(column, {}).get(code)
    return code if words is None else words.in_language(language)


def change_text(value: float, language: str) -> str:
    """A trend, ``(now - before) / (now + before)``, as a change in percent of what was before.

    Examples
    --------
    >>> change_text(-0.5, "en"), change_text(0.2, "en"), change_text(-1.0, "en"), change_text(1.0, "zh")
    ('-67 %', '+50 %', 'all gone', '新增')
    """
    if abs(value) >= 1:
        return (NEW if value > 0 else GONE)[language]
    return f"{round(200 * value / (1 - value)):+d} %"


def number_text(value: float) -> str:
    """A number with the digits that matter.

    Examples
    --------
    >>> number_text(12345.6), number_text(12.34), number_text(0.1234), number_text(3.0)
    ('12,346', '12.3', '0.12', '3')
    """
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
