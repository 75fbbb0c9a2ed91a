"""The page is whole by itself, readable by everyone, and says what it does not know."""

import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from nbo.errors import UsageError
from nbo.report import render_report
from nbo.report.words import BANDS, METRICS, MODELS, OUTCOMES, READINGS, READINGS_WITHOUT_BASE, UNITS
from nbo.report.words import SENTENCES as ALL_SENTENCES

VOID = {"meta", "br", "hr", "img", "link", "input"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
FETCHING = {"link", "script", "img", "iframe", "object", "embed", "source", "video", "audio", "base", "form"}


class Page(HTMLParser):
    """Elements with their attributes, parents and text; fails on a tag that is closed out of turn."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(document)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "parents": list(self.open), "children": []}
        self.elements.append(element)
        if self.open:
            self.open[-1]["children"].append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1]["tag"] == tag
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, *tags: str) -> list[dict[str, Any]]:
        return [element for element in self.elements if element["tag"] in tags]


@pytest.fixture(params=["en", "zh"])
def document(request: pytest.FixtureRequest, metadata: dict[str, Any], at_risk: list[dict[str, Any]]) -> str:
    return render_report(metadata, at_risk, operator="示范", language=request.param)


def test_nothing_is_fetched_from_anywhere(document: str) -> None:
    assert set(re.findall(r"https?://[^\"'\s<>)]+", document)) <= NAMESPACES
    page = Page(document)
    assert not page.all(*FETCHING)
    assert "@import" not in document
    for element in page.elements:
        for name in ("src", "href", "xlink:href", "action", "poster"):
            assert (element["attrs"].get(name) or "#").startswith("#")
    assert not re.search(r"url\((?!#)", document)
    policy = next(one for one in page.all("meta") if "http-equiv" in one["attrs"])
    assert policy["attrs"]["content"].startswith("default-src 'none'")


def test_every_chart_has_a_title_a_description_and_a_table_of_its_numbers(document: str) -> None:
    page = Page(document)
    charts = page.all("svg")
    assert len(charts) == 4
    for chart in charts:
        assert chart["attrs"]["role"] == "img"
        named = {child["attrs"].get("id"): child["text"].strip() for child in chart["children"]}
        assert all(named[name] for name in chart["attrs"]["aria-labelledby"].split())
        figure = chart["parents"][-1]
        twin = next(child for child in figure["children"] if child["tag"] == "details")
        assert twin["children"][0]["tag"] == "summary"
        assert any(figure in one["parents"] and twin in one["parents"] for one in page.all("table"))


def test_ids_are_unique_and_every_reference_finds_one(document: str) -> None:
    page = Page(document)
    ids = [one["attrs"]["id"] for one in page.elements if "id" in one["attrs"]]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        target = element["attrs"].get("href") or element["attrs"].get("xlink:href")
        assert target is None or target[1:] in ids
        assert set((element["attrs"].get("aria-labelledby") or "").split()) <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", document)) <= set(ids)


def test_headings_descend_one_step_at_a_time(document: str) -> None:
    levels = [int(one["tag"][1]) for one in Page(document).all(*HEADINGS)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_table_has_a_caption_and_headings_with_scope(document: str) -> None:
    page = Page(document)
    tables = page.all("table")
    assert len(tables) >= 8
    for one in tables:
        assert one["children"][0]["tag"] == "caption"
        assert one["children"][0]["text"].strip()
    assert {one["attrs"].get("scope") for one in page.all("th")} == {"col", "row"}
    for row in page.all("tr"):
        columns = row["parents"][-2]["children"][1]["children"][0]["children"]
        assert len(row["children"]) == len(columns)


def test_the_chinese_page_has_no_english_heading(metadata: dict[str, Any]) -> None:
    page = Page(render_report(metadata, None, operator="示范", language="zh"))
    assert page.all("html")[0]["attrs"]["lang"] == "zh-Hans"
    headings = [one["text"] for one in page.all(*HEADINGS, "figcaption", "summary")]
    assert len(headings) > 15
    assert not [text for text in headings if re.search("[A-Za-z]", text)]


def test_the_english_page_speaks_english(metadata: dict[str, Any]) -> None:
    text = render_report(metadata, None, operator="Demo", language="en")
    assert '<html lang="en">' in text
    assert not re.search("[一-鿿]", text)


def test_a_lift_is_read_in_leavers_of_a_hundred_called(metadata: dict[str, Any]) -> None:
    text = render_report(metadata, None, operator="Demo", language="en")
    assert "Of 100 accounts called from the top tenth of the list, about 12 will leave, against 3 at" in text
    del metadata["base_rate"]
    text = render_report(metadata, None, operator="Demo", language="en")
    assert "holds 4.1 times as many leavers as a random tenth" in text
    assert "Of 100 accounts called" not in text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.001, 0.03, "better on the same"), (-0.03, -0.001, "worse on the same"), (-0.01, 0.01, "told apart")],
)
def test_a_difference_counts_only_if_its_interval_excludes_0(
    metadata: dict[str, Any], low: float, high: float, words: str
) -> None:
    metadata["champion"]["difference"]["average_precision"] = {
        "value": (low + high) / 2,
        "low": low,
        "high": high,
    }
    assert words in render_report(metadata, None, operator="Demo", language="en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_empty_metadata_render_without_a_chart_or_a_number(language: Any) -> None:
    page = Page(render_report({}, None, operator="示范", language=language))
    assert not page.all("svg", "table", "dl")
    assert len(page.all("section")) == 8
    words = " ".join(one["text"] for one in page.all("p", "h1", "h2", "h3"))
    assert not re.search(r"\d|None|nan", words)


def test_any_one_missing_part_leaves_the_rest_standing(metadata: dict[str, Any]) -> None:
    cases = [{**metadata, key: None} for key in metadata]
    cases += [dict.fromkeys(metadata, empty) for empty in ({}, [], "", 0)]
    for case in cases:
        text = render_report(case, [], operator="Demo", language="en")
        assert len(Page(text).all("section")) == 8
        assert ">None<" not in text


def test_numbers_that_are_not_finite_are_told_as_not_measured(metadata: dict[str, Any]) -> None:
    metadata["metrics"]["holdout"]["auc"] = {"value": float("nan"), "low": None, "high": None}
    metadata["metrics"]["holdout"]["ece"]["low"] = float("nan")
    metadata["reliability"][0] |= {"share_left": float("nan")}
    metadata["reliability"][1] |= {"low": None, "high": None}
    metadata["gains"][1] |= {"captured": None}
    page = Page(render_report(metadata, None, operator="Demo", language="en"))
    assert not re.search(r"\bnan\b", " ".join(one["text"] for one in page.all("td", "th", "p")))
    assert "not measured" in [one["text"] for one in page.all("td")]


def test_few_leavers_are_said(metadata: dict[str, Any]) -> None:
    assert "Only" not in render_report(metadata, None, operator="Demo", language="en")
    metadata["positives"] = 34
    assert "Only 34 cases of leaving" in render_report(metadata, None, operator="Demo", language="en")


def test_names_from_the_data_are_escaped(metadata: dict[str, Any], at_risk: list[dict[str, Any]]) -> None:
    evil = "<script>alert('$1')</script>"
    at_risk[0] |= {"account_id": evil, "site": evil, "band": evil, "reason_1": evil}
    metadata["families"][0]["words"]["en"] = evil
    metadata["notes"] = [evil]
    metadata["metrics"]["slices"][evil] = metadata["metrics"]["slices"]["2024-09-01"]
    text = render_report(metadata, at_risk, operator=evil, language="en")
    assert "<script" not in text
    assert text.count("&lt;script") >= 8
    Page(text)


def test_the_list_shows_its_first_twenty_rows(
    metadata: dict[str, Any], at_risk: list[dict[str, Any]]
) -> None:
    text = render_report(metadata, at_risk, operator="Demo", language="en")
    assert "The first 20 of 25 accounts" in text
    assert "A00020" in text
    assert "A00021" not in text
    assert "5,400.00" in text
    assert "Outgoing calls fell by 60 %; Contract ends in 24 days" in text
    assert "is empty on this date" in render_report(metadata, [], operator="Demo", language="en")
    assert "No at-risk list was made" in render_report(metadata, None, operator="Demo", language="en")


def test_the_same_input_gives_the_same_bytes(metadata: dict[str, Any], at_risk: list[dict[str, Any]]) -> None:
    first = render_report(metadata, at_risk, operator="Demo", language="zh")
    assert render_report(metadata, at_risk, operator="Demo", language="zh") == first


def test_another_language_is_refused(metadata: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="language: expected en or zh, got fr"):
        render_report(metadata, None, operator="Demo", language="fr")  # type: ignore[arg-type]


def test_both_languages_fill_the_same_fields() -> None:
    for words in (
        ALL_SENTENCES,
        METRICS,
        READINGS,
        READINGS_WITHOUT_BASE,
        MODELS,
        BANDS,
        OUTCOMES,
        UNITS,
    ):
        for key, pair in words.items():
            assert pair.en, key
            assert pair.zh, key
            fields = [sorted(set(re.findall(r"{(\w+)}", text))) for text in (pair.en, pair.zh)]
            assert fields[0] == fields[1], key


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_in_light_in_dark_and_on_paper() -> None:
    text = render_report({}, None, operator="Demo", language="en")
    themes = [dict(re.findall(r"(--\w+): (#\w+)", one)) for one in re.findall(r":root {([^}]*)}", text)]
    assert len(themes) == 3
    for theme in themes:
        for ink, ground in itertools.product(("--ink", "--muted", "--accent"), ("--paper", "--wash")):
            dark, light = sorted((luminance(theme[ink]), luminance(theme[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
