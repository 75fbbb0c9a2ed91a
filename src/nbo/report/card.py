"""The model card around the measurements: purpose, limits, drivers, today's list, provenance."""

from collections.abc import Mapping, Sequence
from typing import Any

from nbo.report.blocks import Block, Bullets, Card, Chart, Facts, Grid, Heading, Section, Text
from nbo.report.figures import family_shares, mapping, number, percent, plain, sequence, words_of
from nbo.report.words import BANDS, OUTCOMES, SENTENCES, UNITS, named

LIST_ROWS = 20
REASONS = ("reason_1", "reason_2", "reason_3")


def purpose_section(card: Card) -> Section:
    """What the model is for, whom it describes, what leaving means, what it must not be used for."""
    misuse = ("misuse.contact", "misuse.credit", "misuse.people", "misuse.others")
    return card.section(
        "purpose",
        Text(purpose_text(card)),
        Heading(card.say("population")),
        Text(card.say("population.text")),
        *counts(card),
        Heading(card.say("label")),
        Text(label_text(card)),
        Heading(card.say("dates")),
        *(Text(sentence) for sentence in date_texts(card)),
        Heading(card.say("misuse")),
        Bullets(tuple(map(card.say, misuse))),
        Heading(card.say("limits")),
        limits(card),
    )


def purpose_text(card: Card) -> str:
    purpose = card.metadata.get("purpose")
    if not purpose:
        return card.say("purpose.unknown")
    if f"purpose.{purpose}" in SENTENCES and purpose not in ("other", "unknown"):
        return card.say(f"purpose.{purpose}")
    return card.say("purpose.other", purpose=purpose)


def counts(card: Card) -> list[Block]:
    found = {name: number(card.metadata.get(name)) for name in ("accounts", "rows", "positives")}
    told = [card.say(f"count.{name}", n=f"{n:,.0f}") for name, n in found.items() if n is not None]
    return [Text(card.say("population.counts", counts=card.joined(told)))] if told else []


def label_text(card: Card) -> str:
    label = mapping(mapping(card.metadata.get("config")).get("label"))
    gap, horizon = number(label.get("gap_days")), number(label.get("horizon_days"))
    if gap is None or horizon is None:
        return card.say("label.unknown")
    return card.say("label.window", gap=plain(gap), horizon=plain(horizon))


def date_texts(card: Card) -> list[str]:
    slices = mapping(card.metadata.get("as_of_slices"))
    told = [
        card.say(f"dates.{name}", dates=card.joined([str(date) for date in sequence(slices.get(name))]))
        for name in ("train", "holdout")
        if sequence(slices.get(name))
    ]
    return told or [card.say("dates.none")]


def limits(card: Card) -> Block:
    """Notes of the training, accounts left out, features not fed."""
    told = [str(note) for note in sequence(card.metadata.get("notes"))]
    for date, outcomes in mapping(card.metadata.get("censored")).items():
        counted = [
            f"{named(OUTCOMES, name, card.language)} {n:,.0f}"
            for name, n in ((name, number(n)) for name, n in mapping(outcomes).items())
            if n is not None
        ]
        if counted:
            told.append(card.say("limits.censored", date=date, counts=card.joined(counted)))
    told += [
        card.say("limits.null", name=name, why=why)
        for name, why in mapping(card.metadata.get("null_features")).items()
    ]
    return Bullets(tuple(told)) if told else Text(card.say("limits.none"))


def drivers_section(card: Card) -> Section:
    """What the model relies on: kinds of signal, then single signals in words."""
    families = family_shares(card.metadata.get("families"), card.language)
    blocks: list[Block] = []
    if families:
        rows = tuple((one.name, percent(one.share)) for one in families)
        headings = (card.say("families.family"), card.say("drivers.share"))
        grid = Grid(card.say("families.caption"), headings, rows, folded=True)
        blocks.append(Chart.of(card.charts["families.svg"], grid))
    features = [mapping(row) for row in sequence(card.metadata.get("top_features"))]
    if features:
        blocks.append(features_grid(card, features))
    if not blocks:
        return card.section("drivers", Text(card.say("drivers.none")))
    return card.section("drivers", Text(card.say("drivers.text")), *blocks)


def features_grid(card: Card, features: Sequence[Mapping[str, Any]]) -> Grid:
    headings = ("features.feature", "drivers.share", "features.median", "features.unit")
    rows = []
    for row in features:
        share, median = number(row.get("share")), number(row.get("median"))
        unit = str(row.get("unit") or "")
        rows.append(
            (
                words_of(row, "name", card.language),
                card.say("missing") if share is None else percent(share),
                card.say("missing") if median is None else plain(median),
                named(UNITS, unit, card.language),
            )
        )
    prose = frozenset({0, 3})
    return Grid(card.say("features.caption"), tuple(map(card.say, headings)), tuple(rows), prose)


def list_section(card: Card, at_risk: Sequence[Mapping[str, Any]] | None) -> Section:
    """The first rows of the at-risk list, in the order they came."""
    if at_risk is None:
        return card.section("list", Text(card.say("list.none")))
    if not at_risk:
        return card.section("list", Text(card.say("list.empty")))
    shown = at_risk[:LIST_ROWS]
    blocks: list[Block] = [Text(card.say("list.text", shown=len(shown), total=f"{len(at_risk):,}"))]
    if at_risk[0].get("as_of"):
        blocks.append(Text(card.say("list.as_of", date=at_risk[0]["as_of"])))
    edges = mapping(card.metadata.get("band_edges"))
    high, medium = number(edges.get("high")), number(edges.get("medium"))
    if high is not None and medium is not None:
        blocks.append(Text(card.say("list.edges", high=percent(high), medium=percent(medium))))
    headings = ("list.rank", "list.account", "list.site", "list.band", "list.p_churn")
    currency = card.metadata.get("currency")
    wide = (
        *map(card.say, headings),
        card.say("list.margin", currency=f" ({currency})" if currency else ""),
        card.say("list.reasons"),
    )
    rows = tuple(list_row(card, row) for row in shown)
    blocks.append(Grid(card.say("list.caption"), wide, rows, frozenset({1, 2, 3, 6})))
    return card.section("list", *blocks)


def list_row(card: Card, row: Mapping[str, Any]) -> tuple[str, ...]:
    p_churn, margin = number(row.get("p_churn")), number(row.get("margin_at_risk_amount"))
    band = row.get("band")
    reasons = [str(row[name]) for name in REASONS if row.get(name)]
    return (
        str(row.get("rank") or ""),
        str(row.get("account_id") or ""),
        str(row.get("site") or ""),
        named(BANDS, band, card.language) if band else "",
        card.say("missing") if p_churn is None else percent(p_churn),
        card.say("missing") if margin is None else f"{margin:,.2f}",
        ("；" if card.language == "zh" else "; ").join(reasons),
    )


def provenance_section(card: Card) -> Section:
    """Ids, versions and settings: enough to make the same model again."""
    data = card.metadata
    names = ("bundle_id", "store_id", "feature_hash")
    pairs = [(card.say(f"provenance.{name}"), str(data[name])) for name in names if data.get(name)]
    if isinstance(data.get("tuned"), bool):
        pairs.append((card.say("provenance.tuned"), card.say("yes" if data["tuned"] else "no")))
    blocks: list[Block] = [Facts(tuple(pairs))] if pairs else []
    for name in ("versions", "parameters", "config"):
        rows = tuple(flat(mapping(data.get(name))))
        if rows:
            headings = (card.say("provenance.name"), card.say("provenance.value"))
            caption = card.say(f"provenance.{name}")
            blocks.append(Grid(caption, headings, rows, frozenset({0, 1}), folded=True))
    return card.section("provenance", *(blocks or [Text(card.say("provenance.none"))]))


def flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names and values, in the order of their names.

    Examples
    --------
    >>> flat({"label": {"gap_days": 30}, "seeds": [1, 2]})
    [('label.gap_days', '30'), ('seeds', '1, 2')]
    """
    found = []
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            found += flat(value, f"{above}{name}.")
        elif isinstance(value, list | tuple):
            found.append((f"{above}{name}", ", ".join(map(str, value))))
        else:
            found.append((f"{above}{name}", str(value)))
    return found
