"""One self-contained HTML document about a model: nothing in it is fetched from anywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nbo.errors import UsageError
from nbo.report.blocks import Card
from nbo.report.card import drivers_section, list_section, provenance_section, purpose_section
from nbo.report.charts import charts_for_tracking
from nbo.report.quality import (
    calibration_section,
    gains_section,
    key_figures,
    quality_section,
    slices_section,
)
from nbo.report.words import MODELS, Language, named

TEMPLATE = "template.html.jinja"
TAGS = {"en": "en", "zh": "zh-Hans"}


def render_report(
    metadata: Mapping[str, Any],
    at_risk: Sequence[Mapping[str, Any]] | None,
    *,
    operator: str,
    language: Language,
) -> str:
    """What a model is for, how good it is, what drives it and whom it names, as HTML.

    Parameters
    ----------
    metadata : mapping
        The bundle's metadata; whatever is missing in it is said to be missing, never made up.
    at_risk : sequence of mapping or None
        Rows of the at-risk list by rank; amounts in the store's currency, probabilities 0 to 1.
        None = no list was made.
    operator : str
        Name of the operator, for the title.
    language : {"en", "zh"}
        Of headings and sentences; notes, reasons and names stay as they were written.

    Returns
    -------
    str
        The document. The same arguments give the same text.

    Raises
    ------
    UsageError
        If ``language`` is neither of the two.
    """
    if language not in get_args(Language):
        raise UsageError(f"language: expected en or zh, got {language}")
    card = Card(metadata, language, charts_for_tracking(metadata, language=language))
    sections = (
        purpose_section(card),
        quality_section(card),
        calibration_section(card),
        gains_section(card),
        slices_section(card),
        drivers_section(card),
        list_section(card, at_risk),
        provenance_section(card),
    )
    model = named(MODELS, metadata.get("model") or "churn", language)
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            tag=TAGS[language],
            title=card.say("title", model=model, operator=operator),
            say=card.say,
            figures=key_figures(card),
            sections=sections,
        )
    )


def environment() -> Environment:
    """Jinja with escaping on for every value and an error for every unknown name."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
