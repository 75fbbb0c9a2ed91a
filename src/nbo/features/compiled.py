"""Features as data: what a declaration becomes, and what a bundle carries with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nbo.errors import DataError
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


@dataclass(frozen=True)
class CompiledFeatures:
    """A feature list compiled to one SQL text, identified by a hash of all it says.

    The SQL holds the parameters ``$as_of``, ``$accounts``, ``$first_<table>`` and the code lists
    of :mod:`nbo.features.parameters`; nothing else varies between builds.
    """

    hash: str
    purpose: str
    features: tuple[CompiledFeature, ...]
    sql: str

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of the columns."""
        return tuple(feature.name for feature in self.features)

    @classmethod
    def of(cls, features: tuple[CompiledFeature, ...], sql: str, purpose: str) -> "CompiledFeatures":
        return cls(content_hash(features, sql), purpose, features, sql)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {
            "compiler_version": COMPILER_VERSION,
            "hash": self.hash,
            "purpose": self.purpose,
            "features": [feature_json(feature) for feature in self.features],
            "sql": self.sql,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CompiledFeatures":
        """Read compiled features; :class:`DataError` if the content does not match its hash."""
        try:
            features = tuple(feature_from_json(item) for item in value["features"])
            compiled = cls.of(features, value["sql"], value["purpose"])
            claimed = value["hash"]
        except (KeyError, TypeError) as error:
            raise DataError("compiled features", "features, sql, purpose and hash", repr(error)) from None
        if compiled.hash != claimed:
            raise DataError("compiled features", f"content with hash {claimed}", compiled.hash)
        return compiled


def content_hash(features: tuple[CompiledFeature, ...], sql: str) -> str:
    content = {"features": [feature_json(f) for f in features], "sql": sql}
    return sha256_bytes(canonical_json(content).encode())[:16]


def feature_json(feature: CompiledFeature) -> dict[str, Any]:
    fields = asdict(feature)
    fields["purposes"] = sorted(feature.purposes)
    fields["columns"] = list(feature.columns)
    return fields


def feature_from_json(fields: Mapping[str, Any]) -> CompiledFeature:
    return CompiledFeature(
        **{
            **fields,
            "family_words": Words(**fields["family_words"]),
            "words": Words(**fields["words"]),
            "columns": tuple(fields["columns"]),
            "purposes": frozenset(fields["purposes"]),
        }
    )
