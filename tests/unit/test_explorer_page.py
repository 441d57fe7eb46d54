"""The page as a file: self-contained, within its size, inert; and the figures from the same definitions."""

import json
import re
from html.parser import HTMLParser

import pytest
from explorer_results import HOSTILE, write_results

from lossgeometry.charts.figures import draw_figures, figure_specs
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.outputs import figures_of
from lossgeometry.explorer.page import page_specs, write_page


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
    held = re.search(r'<script type="application/json" id="bundle">(.*?)</script>', page, re.S).group(1)
    assert "<" not in held
    assert HOSTILE in json.loads(held)["tables"]["samples"]["completion"]


def test_the_page_is_below_3_megabytes_and_reproducible(bundle, page, tmp_path):
    assert len(page.encode()) < 3_000_000
    write_page(bundle, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_charts_take_their_rows_by_name_and_hold_no_data():
    for name, spec in page_specs(36).items():
        rows = next(source for source in spec["data"] if source["name"] == "rows")
        assert "values" not in rows and "url" not in json.dumps(spec["data"]), name


def test_every_figure_that_the_workflow_expects_can_be_drawn(bundle):
    pairs = [(pair["a"], pair["b"]) for pair in bundle["pairs"]]
    labels = {run["id"]: run["label"] for run in bundle["runs"]}
    expected = figures_of(
        pairs,
        labels,
        ["reference_solution", "boxed_answer"],
        ["debiased", "relative_residual"],
        ["reachable", "hard"],
        True,
    )
    assert {figure.name for figure in expected} == set(figure_specs(bundle))


def test_figures_are_vector_and_raster_and_the_same_each_time(bundle, tmp_path):
    names = ["cosine_map.svg", "cosine_by_layer.svg", "norm.png", "undefined_here.svg"]
    for folder in ("first", "second"):
        draw_figures(bundle, [tmp_path / folder / name for name in names])
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert ">0.9" in (tmp_path / "first/cosine_map.svg").read_text(encoding="utf-8")
    assert (tmp_path / "first/norm.png").read_bytes().startswith(b"\x89PNG")
    assert "undefined" in (tmp_path / "first/undefined_here.svg").read_text(encoding="utf-8")


def test_a_figure_shows_the_colours_of_the_methods(bundle):
    spec = figure_specs(bundle)["cosine_by_layer"]
    colours = {run["name"]: run["colour"][0] for run in bundle["runs"]}
    drawn = {row["name"]: row["line"] for row in spec["datasets"]["rows"]}
    assert drawn == {f"SFT – {name}": colours[name] for name in ("RFT", "RIFT", "DFT", "Offline GRPO", "DPO")}


def test_every_figure_has_a_caption():
    from lossgeometry.explorer.outputs import ASSET_FOLDER

    figures = figures_of([("a", "b")], {"a": "x", "b": "x"}, ["l"], ["e"], ["b"], True)
    for figure in figures:
        assert (ASSET_FOLDER.parent / "captions" / f"{figure.kind}.rst").read_text(encoding="utf-8").strip()


def test_the_document_of_measurements_is_what_the_page_says():
    from lossgeometry.explorer.glossary import measurements
    from lossgeometry.provenance import SCRIPTS

    assert (SCRIPTS.parents[1] / "docs/measurements.md").read_text(encoding="utf-8") == measurements(), (
        "run make reference"
    )
