"""The operator's rules of who may have which offer: read from TOML, ordered, kept by hash.

Rules are judged layer by layer, inside a layer in the order of the file; the first one that does not
allow an offer is its verdict.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbo.errors import DataError, UsageError
from nbo.features.compiled import CompiledFeatures
from nbo.files import canonical_json, sha256_bytes
from nbo.offers.expressions import Expression, Kind, merged
from nbo.offers.parsing import parse
from nbo.offers.readable import Readable, readable_features
from nbo.tables.contract import Words, close_matches

LANGUAGE_VERSION = 1
MAX_RULES = 100
Layer = Literal["eligibility", "applicability", "suitability"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""May it be sold to this account here? Does it fit what the account has? Is it right to offer it now?"""


@dataclass(frozen=True)
class Rule:
    """One reason for which an offer may be stopped.

    Parameters
    ----------
    id : str
        What verdicts name it by.
    layer : str
        One of :data:`LAYERS`.
    owner : str
        Who answers for it.
    allow : Expression
        An offer passes only if this is true; unknown is no.
    reason : Words
        Why an offer is stopped, for those who asked.
    """

    id: str
    layer: Layer
    owner: str
    allow: Expression
    reason: Words


@dataclass(frozen=True)
class Rules:
    """All rules of an operator in the order of judgement, identified by a hash of all they say."""

    rules: tuple[Rule, ...]
    hash: str

    @classmethod
    def of(cls, rules: tuple[Rule, ...]) -> "Rules":
        """These rules in the order of their layers, with their hash."""
        ordered = tuple(sorted(rules, key=lambda rule: LAYERS.index(rule.layer)))
        return cls(ordered, content_hash(ordered))

    @property
    def features(self) -> dict[str, Kind]:
        """Features that some rule reads, with their kinds, by name."""
        return features_read(self.rules)

    @property
    def columns(self) -> dict[str, dict[str, Kind]]:
        """Columns that some rule reads, with their kinds, by table."""
        return merged(rule.allow.columns for rule in self.rules)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` gives an equal value."""
        return {**content(self.rules), "hash": self.hash}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Rules":
        """Read recorded rules; :class:`DataError` if the content does not match its hash."""
        try:
            known = {name: Readable(kind) for name, kind in value["features"].items()}
            rules = cls.of(
                tuple(
                    Rule(
                        item["id"],
                        item["layer"],
                        item["owner"],
                        parse(item["allow"], known, f"rules.{item['id']}.allow"),
                        Words(**item["reason"]),
                    )
                    for item in value["rules"]
                )
            )
            claimed = value["hash"]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError("rules", "features, rules and hash", repr(error)) from None
        if rules.hash != claimed:
            raise DataError("rules", f"content with hash {claimed}", rules.hash)
        return rules


def content(rules: tuple[Rule, ...]) -> dict[str, Any]:
    """What the hash is taken over; with the kinds of features, so that it can be read alone."""
    return {
        "language_version": LANGUAGE_VERSION,
        "features": features_read(rules),
        "rules": [
            {
                "id": rule.id,
                "layer": rule.layer,
                "owner": rule.owner,
                "allow": rule.allow.text,
                "reason": {"en": rule.reason.en, "zh": rule.reason.zh},
            }
            for rule in rules
        ],
    }


def content_hash(rules: tuple[Rule, ...]) -> str:
    return sha256_bytes(canonical_json(content(rules)).encode())[:16]


def features_read(rules: tuple[Rule, ...]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for rule in rules:
        found.update(rule.allow.features)
    return dict(sorted(found.items()))


Text = Annotated[str, Field(min_length=1, pattern=r"\S", strict=True)]


class ReasonEntry(BaseModel):
    """A text in the two languages of the operator's people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: Text
    zh: Text


class RuleEntry(BaseModel):
    """One ``[[rules]]`` of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", strict=True)]
    layer: Layer
    owner: Text
    allow: Text
    reason: ReasonEntry


EXPECTED = {
    "id": "an id of small letters, digits and _",
    "layer": f"one of {', '.join(LAYERS)}",
    "owner": "who answers for the rule",
    "allow": "an expression",
    "reason": '{ en = "…", zh = "…" }',
}


def read_rules(path: Path, features: CompiledFeatures) -> Rules:
    """Read the operator's rules.

    Parameters
    ----------
    path : Path
        TOML with one ``[[rules]]`` a rule: ``id``, ``layer``, ``owner``, ``allow``, ``reason``.
    features : CompiledFeatures
        What rules may read of an account by name.

    Raises
    ------
    UsageError
        The file is missing, is not TOML, or the first key, name or expression that is wrong.
    LeakageError
        A rule reads a column that is barred from marketing.
    """
    known = readable_features(features)
    rules: dict[str, Rule] = {}
    for number, item in enumerate(listed_rules(path), start=1):
        entry = rule_entry(path, number, item)
        if entry.id in rules:
            raise UsageError(f"{path} rules.{entry.id}.id: expected a new id, got one used before")
        where = f"{path} rules.{entry.id}.allow"
        rules[entry.id] = Rule(
            entry.id,
            entry.layer,
            entry.owner,
            parse(entry.allow, known, where),
            Words(entry.reason.en, entry.reason.zh),
        )
    return Rules.of(tuple(rules.values()))


def listed_rules(path: Path) -> list[object]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file of rules") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected TOML in UTF-8, got {error}") from None
    for name in found:
        if name != "rules":
            raise UsageError(f"{path} {name}: unknown key{close_matches(name, ['rules'])}")
    rules = found.get("rules")
    if not isinstance(rules, list) or not 1 <= len(rules) <= MAX_RULES:
        got = f"{len(rules):,}" if isinstance(rules, list) else "none" if rules is None else "one of its keys"
        raise UsageError(f"{path} rules: expected 1 to {MAX_RULES} rules, each under [[rules]], got {got}")
    return rules


def rule_entry(path: Path, number: int, item: object) -> RuleEntry:
    """The keys of one rule; the first that is wrong is told."""
    named = item.get("id") if isinstance(item, dict) else None
    where = f"{path} rules.{named if isinstance(named, str) and named else number}"
    try:
        return RuleEntry.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        known = list((ReasonEntry if len(place) > 1 else RuleEntry).model_fields)
        raise UsageError(f"{where}.{'.'.join(place)}: unknown key{close_matches(place[-1], known)}")
    if not place:
        raise UsageError(f"{where}: expected a table of keys, got {first['input']!r:.60}")
    got = "none" if first["type"] == "missing" else f"{first['input']!r:.60}"
    near = close_matches(str(first["input"]), LAYERS) if place[0] == "layer" and got != "none" else ""
    expected = "a text" if len(place) > 1 else EXPECTED[place[0]]
    raise UsageError(f"{where}.{'.'.join(place)}: expected {expected}, got {got}{near}")
