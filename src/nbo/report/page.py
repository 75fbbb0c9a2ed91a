"""A page of sections that is about no model: the report's template with other content."""

from collections.abc import Sequence

from nbo.report.blocks import Card, Section
from nbo.report.render import TEMPLATE, environment


def render_page(title: str, sections: Sequence[Section], key_figures: Sequence[tuple[str, str]] = ()) -> str:
    """One self-contained HTML document in English: nothing in it is fetched from anywhere.

    Parameters
    ----------
    title : str
    sections : sequence of Section
    key_figures : sequence of (str, str)
        Values, and what each is.

    Returns
    -------
    str
        The document. The same arguments give the same text.
    """
    card = Card({}, "en")
    return (
        environment()
        .get_template(TEMPLATE)
        .render(tag="en", title=title, say=card.say, figures=list(key_figures), sections=list(sections))
    )
