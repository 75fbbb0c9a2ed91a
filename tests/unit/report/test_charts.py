"""Charts stand alone, say their words in any language, and repeat to the byte."""

import re
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest

from nbo.errors import DataError
from nbo.report import calibration_svg, charts_for_tracking, families_svg, gains_svg, slices_svg
from nbo.report.charts import THEME, themed

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_chart_is_well_formed_and_names_itself(metadata: dict[str, Any], language: Any) -> None:
    charts = charts_for_tracking(metadata, language=language)
    assert sorted(charts) == ["calibration.svg", "families.svg", "gains.svg", "slices.svg"]
    for svg in charts.values():
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
        assert all((child.text or "").strip() for child in root[:2])
        assert "@" not in svg
        assert set(re.findall("#[0-9a-f]{6}", svg)) <= set(THEME)


def test_chinese_words_are_text_and_need_no_font_of_ours(
    metadata: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    svg = families_svg(metadata["families"], language="zh")
    assert "竞争对手流量" in words(svg)
    assert "DejaVu" not in svg
    assert not [str(one.message) for one in recwarn if "lyph" in str(one.message)]


def test_words_that_look_like_markup_or_formulas_stay_words() -> None:
    svg = families_svg([{"family": "$x$ <b> @1@ & y", "share": 0.5}])
    assert "$x$ <b> @1@ & y" in words(svg)


def test_a_long_name_is_cut_in_the_picture_and_whole_in_its_description() -> None:
    name = "a kind of signal with a very long name"
    svg = families_svg([{"family": name, "share": 0.5}])
    assert "a kind of signal with a…" in words(svg)
    assert name in svg


def test_the_same_numbers_give_the_same_bytes_whatever_the_machine_prefers(
    metadata: dict[str, Any],
) -> None:
    first = charts_for_tracking(metadata)
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "axes.facecolor": "red"}):
        assert charts_for_tracking(metadata) == first


def test_drawing_leaves_the_settings_of_others_alone(metadata: dict[str, Any]) -> None:
    with matplotlib.rc_context({"font.size": 30}):
        charts_for_tracking(metadata)
        assert matplotlib.rcParams["font.size"] == 30


def test_one_row_is_enough() -> None:
    assert calibration_svg([{"mean_score": 0.0, "share_left": 0.0}])
    assert gains_svg([{"share": 1.0, "captured": 1.0}])
    assert slices_svg({"2024-09-01": {"lift_at_10": 2.0}})
    assert families_svg([{"family": "calls", "share": 0.0}])


def test_what_was_not_measured_gives_no_chart() -> None:
    assert charts_for_tracking({}) == {}
    assert charts_for_tracking({"families": [{"family": "calls", "share": None}], "gains": "no"}) == {}


@pytest.mark.parametrize(
    ("chart", "rows", "where"),
    [
        (calibration_svg, [], "reliability"),
        (gains_svg, [{"share": 0.1}], "gains"),
        (slices_svg, {"2024-09-01": {"brier": 0.1}}, "slices"),
        (families_svg, None, "families"),
    ],
)
def test_nothing_to_draw_is_an_error(chart: Any, rows: Any, where: str) -> None:
    with pytest.raises(DataError, match=f"^{where}: expected at least one row with .*, got none"):
        chart(rows)


def test_a_themed_chart_takes_every_colour_from_the_page(metadata: dict[str, Any]) -> None:
    for svg in charts_for_tracking(metadata).values():
        assert not re.search("#[0-9a-f]{6}", themed(svg))
        assert "var(--ink)" in themed(svg)
