"""What a feature reads, and so what it may be used for: told by its own SQL, not by what it claims.

A feature's purposes are those that every column allows which its SQL text names; a verb that forgets to tell
a column widens nothing. A family may be declared for fewer purposes, never for more.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nbo.errors import LeakageError, UsageError
from nbo.features.compiled import CompiledFeature
from nbo.features.families import FeatureSet
from nbo.features.parameters import NEWEST_CODES, NEWEST_TARIFFS, VISIBLE_NETWORKS
from nbo.features.plan import Plan
from nbo.tables.catalog import TABLES, contract
from nbo.tables.contract import ALL_PURPOSES, PURPOSES

WORD = re.compile(r"[a-z_][a-z_0-9]*")
LITERAL = re.compile(r"'(?:[^']|'')*'")
SOURCE = re.compile(r"\b(?:FROM|JOIN) ([a-z_]+)")
LISTS = {
    "$codes_": ("codes", NEWEST_CODES),
    "$networks_": ("networks listed", VISIBLE_NETWORKS),
    "$rate_": ("prices", NEWEST_TARIFFS),
}
"""Parameters of a SQL text that are read from tables too, by how they begin: a name, and how."""


@dataclass(frozen=True)
class Relation:
    """One step between a feature and the tables: a relation of its SQL and what that reads.

    Parameters
    ----------
    name : str
        Such as ``calls_totals``; ``codes`` is the list of access codes of a class of networks.
    columns : tuple of str
        ``table.column``, in the order of the contracts.
    """

    name: str
    columns: tuple[str, ...]


def relations_read(plan: Plan) -> tuple[Relation, ...]:
    """Every relation that a plan reads from, with the columns of the tables under it."""
    texts = plan.relations()
    found = [Relation(name, columns_named(text)) for name, text in texts]
    named = [*(text for _, text in texts), *plan.prices]
    for start, (name, text) in LISTS.items():
        if any(start in told for told in named):
            found.append(Relation(name, columns_named(text)))
    return tuple(found)


def columns_named(sql: str) -> tuple[str, ...]:
    """``table.column`` of every column of a contract that a SQL text names of the tables it reads.

    Examples
    --------
    >>> columns_named("SELECT kind FROM networks WHERE known_day <= 3 AND kind = 'network_id'")
    ('networks.known_day', 'networks.kind')
    """
    plain = LITERAL.sub("", sql)
    words = set(WORD.findall(plain))
    tables = dict.fromkeys(name for name in SOURCE.findall(plain) if name in TABLES)
    return tuple(f"{name}.{c}" for name in tables for c in contract(name).column_names if c in words)


def permitted_purposes(columns: Sequence[str]) -> frozenset[str]:
    """What may be done with all of these ``table.column`` names."""
    allowed = ALL_PURPOSES
    for name in columns:
        table, column = name.split(".")
        allowed = allowed & contract(table).column(column).purposes
    return allowed


def family_purposes(family: FeatureSet) -> frozenset[str]:
    """What a family is declared for; all purposes where it does not say.

    Raises
    ------
    UsageError
        A name that is no purpose.
    """
    if family.purposes is None:
        return ALL_PURPOSES
    for name in family.purposes:
        check_purpose(name, f"{family.name}: purposes")
    return frozenset(family.purposes)


def check_purpose(name: str, where: str = "purpose") -> None:
    """Refuse a name that is no purpose."""
    if name not in PURPOSES:
        raise UsageError(f"{where}: expected one of {', '.join(PURPOSES)}, got {name!r}")


def refuse_wider(feature: CompiledFeature, family: FeatureSet, columns: Sequence[str]) -> None:
    """Refuse a family declared for more than the columns of one of its features allow."""
    if family.purposes is None:
        return
    for purpose in family.purposes:
        barred = [name for name in columns if purpose not in permitted_purposes([name])]
        if barred:
            allowed = ", ".join(sorted(permitted_purposes(columns))) or "no purpose"
            raise LeakageError(
                barred[0],
                f"a column permitted for {purpose}, for which the family {family.name} is declared",
                f"one permitted for {permitted_words(barred[:1])}",
                examples=[feature.name],
                next_step=f"Declare the family for {allowed}, or take the feature out of it",
            )


def refuse_barred(features: Sequence[CompiledFeature], purpose: str) -> None:
    """Refuse features that may not be used for a purpose, all by name."""
    barred = [feature for feature in features if purpose not in feature.purposes]
    if not barred:
        return
    columns = [name for name in barred[0].columns if purpose not in permitted_purposes([name])]
    raise LeakageError(
        columns[0] if columns else barred[0].family,
        f"a {'column' if columns else 'family'} permitted for {purpose}",
        f"one permitted for {permitted_words(columns[:1]) if columns else purposes_words(barred[0])}",
        examples=[feature.name for feature in barred],
        next_step="Take the feature out of the set, or train for a purpose it is permitted for",
    )


def permitted_words(columns: Sequence[str]) -> str:
    return ", ".join(sorted(permitted_purposes(columns))) or "no feature"


def purposes_words(feature: CompiledFeature) -> str:
    return ", ".join(sorted(feature.purposes)) or "no feature"
