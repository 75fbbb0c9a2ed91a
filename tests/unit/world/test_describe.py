"""The page about what was simulated, and the figures on it."""

from pathlib import Path

import pytest

from nbo.errors import DataError
from nbo.world.describe import describe
from nbo.world.realism import MEASURES, realism


def test_the_page_shows_every_figure_with_its_aim_and_fetches_nothing(small_world: Path) -> None:
    html, readings = describe(small_world, "base: ordinary times <b>")
    assert len(readings) == len(MEASURES)
    for measure in MEASURES:
        assert measure.words.replace("'", "&#39;") in html
    assert "&lt;b&gt;" in html and html.count("<svg") == 6
    assert "http://" not in html.replace("http://www.w3.org", "") and "<script" not in html


def test_the_same_tables_give_the_same_page(small_world: Path) -> None:
    assert describe(small_world, "base")[0] == describe(small_world, "base")[0]


def test_most_figures_of_a_small_world_lie_where_they_should(small_world: Path) -> None:
    readings = realism(small_world)
    assert sum(reading.met for reading in readings) >= len(MEASURES) - 4
    assert all(reading.value is not None for reading in readings)


def test_a_figure_out_of_its_range_is_not_met(small_world: Path) -> None:
    reading = realism(small_world)[0]
    assert reading.met == (reading.measure.low <= reading.value <= reading.measure.high)  # type: ignore[operator]
    assert not type(reading)(reading.measure, None).met
    assert not type(reading)(reading.measure, 1.0).met


def test_a_folder_without_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the raw tables of a simulated operator, got none"):
        realism(tmp_path)
