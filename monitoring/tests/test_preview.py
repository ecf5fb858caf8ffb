"""The pictures' data keep the contract, every panel finds something in them, figures read well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.boards import boards
from monitoring.contract import METRICS, Source
from monitoring.evaluation import panel_complaints
from monitoring.pages import complaints
from monitoring.preview.__main__ import DEFAULTS, ONE_MODEL, draw
from monitoring.preview.answers import Window
from monitoring.preview.playing import END, page_at_the_end, playing
from monitoring.preview.units import shown
from monitoring.prometheus import Prometheus, install

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


@pytest.mark.parametrize("source", Source, ids=lambda each: each.name.lower())
def test_what_is_played_has_the_shape_of_the_real_thing(source: Source) -> None:
    assert complaints(page_at_the_end(source), source) == []


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    install()
    with playing(tmp_path_factory.mktemp("played")) as prometheus:
        yield prometheus


VALUES = {**DEFAULTS, **ONE_MODEL}


@pytest.mark.prometheus
def test_every_panel_finds_something_those_about_gpus_too(played: Prometheus) -> None:
    assert panel_complaints(played, VALUES, has_gpus=True, moment=END) == []


@pytest.mark.prometheus
def test_a_panel_without_an_answer_and_a_query_that_fails_are_named(played: Prometheus) -> None:
    elsewhere = {**VALUES, "namespace": "nowhere"}
    empty = panel_complaints(played, elsewhere, has_gpus=True, moment=END)
    assert any(each.startswith("qwen-fleet / Requests by model: empty") for each in empty)
    wrong = panel_complaints(
        played, {**VALUES, "__rate_interval": "soon"}, has_gpus=True, moment=END
    )
    assert any("parse error" in each for each in wrong)


@pytest.mark.prometheus
@pytest.mark.parametrize("uid", boards())
def test_every_dashboard_can_be_drawn(played: Prometheus, uid: str, tmp_path: Path) -> None:
    sheet = draw(boards()[uid], Window(played, END, 3600, VALUES), "a test")
    sheet.write(tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").stat().st_size > 50_000


def test_there_is_a_picture_of_every_dashboard() -> None:
    drawn = {path.stem.replace("dashboard-", "qwen-") for path in IMAGES.glob("dashboard-*.png")}
    assert drawn == set(boards())


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0421, "s", "42.1 ms"),
        (90, "s", "1.5 min"),
        (0.0531, "percentunit", "5.31%"),
        (4180, "suffix: tok/s", "4.18K tok/s"),
        (3, "none", "3"),
        (2.5, "currencyUSD", "$2.50"),
        (96 * 2**20, "bytes", "96 MiB"),
        (0, "reqps", "0 req/s"),
        (float("nan"), "s", "-"),
    ],
)
def test_figures_read_as_grafana_writes_them(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_no_unit_of_a_panel_is_unknown_to_the_pictures() -> None:
    for body in boards().values():
        for panel in body["panels"]:
            if panel["type"] != "row":
                assert shown(1, panel["fieldConfig"]["defaults"]["unit"])


def test_gpu_series_are_the_only_ones_that_a_cpu_lacks() -> None:
    assert {each.name for each in METRICS if each.gpu_only} == {
        each.name for each in METRICS if each.name.startswith("nv_gpu")
    }
