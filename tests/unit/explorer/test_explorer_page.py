"""The page as a file: self-contained, within its size, inert; and the figures from the same definitions."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from explorer_results import HOSTILE, write_results

from lossgeometry.charts.chart import compiled
from lossgeometry.charts.figures import draw_figures
from lossgeometry.charts.parts import Frame
from lossgeometry.errors import InputError
from lossgeometry.experiment.loading import load_config
from lossgeometry.explorer.assets import ASSET_FOLDER
from lossgeometry.explorer.beside import write_both
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.metrics import SERIES
from lossgeometry.explorer.page import charts_of, held_bundle, write_page
from lossgeometry.stage import Figure
from lossgeometry.stages import STAGES

CONFIG = Path(__file__).resolve().parents[3] / "config"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return gather(**write_results(tmp_path_factory.mktemp("results"), methods=6, seeds=2, rates=1))


@pytest.fixture(scope="module")
def page(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    write_page(bundle, path)
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in Elements(page).tags:
        for name in ("src", "href", "data", "action", "poster"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or target == "data:,", (tag, target)
    assert "default-src 'none'" in page and "unsafe-eval" not in page


def test_model_output_cannot_leave_its_element(page):
    tags = [tag for tag, _ in Elements(page).tags]
    assert tags.count("script") == 3 and "img" not in tags
    held = re.search(r'id="bundle">(.*?)</script>', page, re.S).group(1)
    assert re.fullmatch("[A-Za-z0-9+/=]+", held)
    assert HOSTILE in held_bundle(page)["tables"]["samples"]["completion"]


def test_the_page_is_below_3_megabytes_and_reproducible(bundle, page, tmp_path):
    assert len(page.encode()) < 3_000_000
    write_page(bundle, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_charts_take_their_tables_by_name_and_hold_no_data(bundle):
    for name, chart in charts_of(bundle).items():
        data = compiled(chart, Frame())["data"]
        assert "url" not in json.dumps(data), name
        assert all(source["values"] == [{}] for source in data if "values" in source), name
        assert [source["name"] for source in data[:1]] == [chart.pipeline.source], name


def figures(experiment: str = "config") -> list[Figure]:
    """Every figure of a shipped configuration."""
    config = load_config(yaml.safe_load((CONFIG / f"{experiment}.yaml").read_text(encoding="utf-8")))
    return [figure for stage in STAGES for figure in stage.figures(config)]


def test_every_figure_has_a_chart_and_a_caption(bundle):
    named = figures()
    assert len(named) == len({figure.name for figure in named}) > 15
    assert {figure.chart for figure in named} <= set(charts_of(bundle))
    for figure in named:
        assert (ASSET_FOLDER.parent / "captions" / f"{figure.kind}.rst").read_text(encoding="utf-8").strip()


def test_figures_are_vector_and_raster_and_the_same_each_time(bundle, tmp_path):
    drawn = [figure for figure in figures() if figure.name in ("cosine_map", "norm")]
    for folder in ("first", "second"):
        draw_figures(bundle, drawn, tmp_path / folder)
    for name in ("cosine_map.svg", "cosine_map.png", "norm.svg", "norm.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert ">0.9" in (tmp_path / "first/cosine_map.svg").read_text(encoding="utf-8")
    assert (tmp_path / "first/norm.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_without_any_value_says_so(bundle, tmp_path):
    draw_figures(bundle, [Figure("path", "connectivity", "", "path", state={"loss": "unknown"})], tmp_path)
    assert "undefined in every run or pair" in (tmp_path / "path.svg").read_text(encoding="utf-8")


def test_a_figure_shows_the_colours_of_the_methods(bundle, tmp_path):
    draw_figures(bundle, [Figure("lines", "cosine_by_layer", "", "depth")], tmp_path)
    drawn = (tmp_path / "lines.svg").read_text(encoding="utf-8")
    colours = {run["name"]: run["colour"][0] for run in bundle["runs"]}
    for name in ("RFT", "RIFT", "DFT", "Offline GRPO", "DPO"):
        assert f">SFT – {name}<" in drawn and f'stroke="{colours[name]}"' in drawn, name
    assert f'stroke="{colours["SFT"]}"' not in drawn


def test_every_series_of_one_method_has_its_own_chance_band(bundle, tmp_path):
    draw_figures(bundle, [Figure("seeds", "seeds_and_learning_rates", "", "robustness")], tmp_path)
    drawn = (tmp_path / "seeds.svg").read_text(encoding="utf-8")
    bars = re.findall(r'<path d="M([-\d.]+),([-\d.]+)h([\d.]+)v[^"]*" fill="[^"]*" opacity="0.3"', drawn)
    pairs = sum(pair["kind"] != "methods" for pair in bundle["pairs"])
    assert len(bars) == len({top for _, top, _ in bars}) == len(SERIES) * pairs > 0
    cosine, alignment = bars[0], bars[pairs]
    assert float(alignment[0]) > float(cosine[0]) and cosine[2] != alignment[2]


def test_the_document_of_measurements_is_what_the_page_says():
    from lossgeometry.explorer.glossary import measurements
    from lossgeometry.provenance import SCRIPTS

    assert (SCRIPTS.parents[1] / "docs/measurements.md").read_text(encoding="utf-8") == measurements(), (
        "run make reference"
    )


@pytest.mark.slow
def test_definitions_are_those_of_what_the_page_shows(tmp_path):
    """A word that a section explains is always there; what no section shows is not explained."""
    sizes = {"supplied": {"methods": 0, "external": 3, "evaluation": False, "function": False}, "whole": {"seeds": 2}}
    found = {}
    for name, size in sizes.items():
        bundle = gather(**write_results(tmp_path / name, **size))
        write_page(bundle, tmp_path / f"{name}.html")
        text = (tmp_path / f"{name}.html").read_text()
        found[name] = set(held_bundle(text)["definitions"])
    assert {"cosine", "chance", "angle", "norm"} <= found["supplied"]
    absent = {"accuracy", "cka", "connectivity", "barrier", "mixed", "ceiling", "robustness", "gradient_cosine"}
    assert not found["supplied"] & absent
    assert {"accuracy", "cka", "connectivity", "barrier", "mixed", "robustness"} <= found["whole"]


def test_another_experiment_is_written_beside_this_one_or_refused_by_its_path(bundle, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        text = json.dumps({**bundle, "experiment": name})
        (tmp_path / name / "explorer.json").write_text(text, encoding="utf-8")
    write_both(tmp_path / "one", tmp_path / "other", tmp_path / "both.html")
    held = held_bundle((tmp_path / "both.html").read_text(encoding="utf-8"))
    assert held["experiment"] == "one" and held["other"] == {"experiment": "other", "findings": bundle["findings"]}
    with pytest.raises(InputError, match=r"absent/explorer.json is no explorer.json of a finished experiment"):
        write_both(tmp_path / "one", tmp_path / "absent", tmp_path / "both.html")
