"""Features as data: what a declaration becomes, and what a bundle carries with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from nbo.errors import DataError
from nbo.features.codes import Codes
from nbo.features.context import Context
from nbo.files import canonical_json, sha256_bytes
from nbo.tables.contract import Words

COMPILER_VERSION = 1


@dataclass(frozen=True)
class CompiledFeature:
    """One column of a feature table.

    Parameters
    ----------
    name : str
        Generated from the declaration.
    kind : "number" or "category"
    unit : str
        Such as ``minutes``, ``days``, ``money`` (minor units), ``share`` (0 to 1), ``code``.
    family, family_words : str, Words
        The feature set it belongs to; reasons are grouped by it.
    words : Words
        What the number is, as a noun phrase.
    columns : tuple of str
        ``table.column`` of everything it reads.
    purposes : frozenset of str
        What it may be used for: the intersection over its columns.
    null_means : str
        Why a value can be missing.
    sql_type : str
        Declared type of the column: BIGINT, DOUBLE or VARCHAR.
    idea : str
        Where the idea comes from: the family's source, then the verb's; empty = not told.
    context : Context or None
        What a channel may say of it at the time of a call; None: only the data tell it. No part of the
        hash: what is computed is the same.
    codes : tuple of (int, Words)
        What each value means where the values are codes; empty = they are not.
    """

    name: str
    kind: Literal["number", "category"]
    unit: str
    family: str
    family_words: Words
    words: Words
    columns: tuple[str, ...]
    purposes: frozenset[str]
    null_means: str
    sql_type: str = "DOUBLE"
    idea: str = ""
    context: Context | None = None
    codes: Codes = ()


@dataclass(frozen=True)
class CompiledFeatures:
    """A feature list compiled to one SQL text, identified by a hash of all that is computed.

    The SQL holds the parameters ``$as_of``, ``$accounts``, ``$first_<table>`` and the code lists
    of :mod:`nbo.features.parameters`; nothing else varies between builds.

    Parameters
    ----------
    features : tuple of CompiledFeature
        What the SQL computes, one row an account.
    given : tuple of CompiledFeature
        Further columns of a model's matrix that the caller brings: attributes of an offer, of a
        pair of account and product. They follow the features.
    """

    hash: str
    purpose: str
    features: tuple[CompiledFeature, ...]
    sql: str
    given: tuple[CompiledFeature, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what the SQL computes, in the order of its columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def columns(self) -> tuple[CompiledFeature, ...]:
        """All columns of a model's matrix, in its order."""
        return (*self.features, *self.given)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns of a model's matrix."""
        return tuple(column.name for column in self.columns)

    @classmethod
    def of(
        cls,
        features: tuple[CompiledFeature, ...],
        sql: str,
        purpose: str,
        given: tuple[CompiledFeature, ...] = (),
    ) -> "CompiledFeatures":
        return cls(content_hash(features, sql, given), purpose, features, sql, given)

    def with_given(self, given: tuple[CompiledFeature, ...]) -> "CompiledFeatures":
        """The same features with further columns that the caller brings; another hash."""
        return CompiledFeatures.of(self.features, self.sql, self.purpose, given)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {
            "compiler_version": COMPILER_VERSION,
            "hash": self.hash,
            "purpose": self.purpose,
            **content(self.features, self.sql, self.given),
            **({"context": contexts} if (contexts := self.contexts_json()) else {}),
        }

    def contexts_json(self) -> dict[str, Any]:
        """By name what may be said of each feature that a channel may know better."""
        return {one.name: one.context.to_json() for one in self.features if one.context is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CompiledFeatures":
        """Read compiled features; :class:`DataError` if the content does not match its hash."""
        try:
            said = value.get("context", {})
            features = tuple(with_context(feature_from_json(item), said) for item in value["features"])
            given = tuple(feature_from_json(item) for item in value.get("given", ()))
            compiled = cls.of(features, value["sql"], value["purpose"], given)
            claimed = value["hash"]
        except (KeyError, TypeError) as error:
            raise DataError("compiled features", "features, sql, purpose and hash", repr(error)) from None
        if compiled.hash != claimed:
            raise DataError("compiled features", f"content with hash {claimed}", compiled.hash)
        return compiled


def content(
    features: tuple[CompiledFeature, ...], sql: str, given: tuple[CompiledFeature, ...]
) -> dict[str, Any]:
    """What the hash is taken over."""
    said: dict[str, Any] = {"features": [feature_json(f) for f in features], "sql": sql}
    return {**said, "given": [feature_json(f) for f in given]} if given else said


def content_hash(
    features: tuple[CompiledFeature, ...], sql: str, given: tuple[CompiledFeature, ...] = ()
) -> str:
    return sha256_bytes(canonical_json(content(features, sql, given)).encode())[:16]


def feature_json(feature: CompiledFeature) -> dict[str, Any]:
    fields = asdict(feature)
    fields["purposes"] = sorted(feature.purposes)
    fields["columns"] = list(feature.columns)
    del fields["context"]
    for name in ("idea", "codes"):
        if not fields[name]:
            del fields[name]
    return fields


def feature_from_json(fields: Mapping[str, Any]) -> CompiledFeature:
    return CompiledFeature(
        **{
            **fields,
            "family_words": Words(**fields["family_words"]),
            "words": Words(**fields["words"]),
            "columns": tuple(fields["columns"]),
            "purposes": frozenset(fields["purposes"]),
            "codes": tuple((code, Words(**words)) for code, words in fields.get("codes", ())),
        }
    )


def with_context(feature: CompiledFeature, said: Mapping[str, Any]) -> CompiledFeature:
    """The feature with what ``said`` holds under its name."""
    if feature.name not in said:
        return feature
    return replace(feature, context=Context.from_json(said[feature.name]))
