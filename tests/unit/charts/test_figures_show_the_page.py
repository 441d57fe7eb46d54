"""Figures are the page before a control is turned: the same definition of rows, filled with the same state and tables."""

import json
import shutil
import subprocess

import pytest
from explorer_results import write_results

from lossgeometry.charts.chart import compiled, filled
from lossgeometry.charts.figures import figure_spec
from lossgeometry.charts.parts import Frame
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.page import charts_of, held_bundle, write_page
from lossgeometry.explorer.view import chart_tables, signals
from lossgeometry.stage import Figure

pytestmark = pytest.mark.slow

# The page's own code, up to the first that draws, in a browser's stead.
RUN_PAGE = """
const [bundle, ...code] = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.document = { getElementById: () => ({ textContent: bundle }), documentElement: { dataset: {} } };
globalThis.location = { hash: "" };
globalThis.matchMedia = () => ({ matches: false });
const shown = `readHash(); applyTheme();
const tables = Object.fromEntries(Object.keys(bundle.tables).map((name) => [name, table(name)]));
console.log(JSON.stringify({ signals: signals(), tables: { ...tables, pairs: bundle.pairs, runs: bundle.runs } }));`;
eval(`(async () => {${code.join("\\n")}${shown}})()`);
"""
SIZES = {
    "methods, seeds, rates": {"methods": 6, "seeds": 2, "rates": 1},
    "the user's adapters": {"methods": 0, "external": 3, "evaluation": False, "function": False},
    "one run": {"methods": 1, "function": False},
}


@pytest.fixture(scope="module", params=SIZES)
def shown(request, tmp_path_factory):
    """The bundle, and what the page in its first state gives its charts."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("page")
    bundle = gather(**write_results(folder / "results", **SIZES[request.param]))
    write_page(bundle, folder / "explorer.html")
    page = (folder / "explorer.html").read_text(encoding="utf-8")
    held = json.dumps(held_bundle(page))
    from lossgeometry.explorer.assets import ASSET_FOLDER

    code = [(ASSET_FOLDER / name).read_text(encoding="utf-8") for name in ("state.js", "data.js")]
    done = subprocess.run(
        ["node", "-e", RUN_PAGE.replace("\\\\n", "\\n")],
        input=json.dumps([held, *code]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return bundle, json.loads(done.stdout)


def test_a_title_says_how_many_directions_were_compared(shown):
    bundle, _ = shown
    if "k" not in bundle:
        pytest.skip("no pair is compared")
    figure = Figure("angles", "angles", "Weights", "angles", "first to last of {k} principal angles")
    drawn = json.dumps(figure_spec(bundle, figure))
    assert f"first to last of {bundle['k']['angle_first.output']} principal angles" in drawn


def test_the_page_starts_with_what_figures_are_drawn_with(shown):
    bundle, page = shown
    given = json.loads(json.dumps(signals(bundle, {})))
    missing = {name for name, value in given.items() if value is None}
    assert {name: page["signals"].get(name) for name in given if name not in missing} == {
        name: value for name, value in given.items() if name not in missing
    }
    assert page["tables"] == json.loads(json.dumps(chart_tables(bundle)))


def test_a_figure_and_the_page_make_their_rows_by_the_same_transforms(shown):
    bundle, page = shown
    for name, chart in charts_of(bundle).items():
        ours = filled(compiled(chart, Frame(figure=True)), chart_tables(bundle), signals(bundle, {}))
        theirs = filled(compiled(chart, Frame()), page["tables"], page["signals"])
        for part in ("rows", "drawn"):
            one, other = ([data for data in spec["data"] if data["name"] == part] for spec in (ours, theirs))
            assert one == other and len(one) == 1, name
        sources = [[data for data in spec["data"] if data["name"] in page["tables"]] for spec in (ours, theirs)]
        assert json.loads(json.dumps(sources[0])) == sources[1], name
