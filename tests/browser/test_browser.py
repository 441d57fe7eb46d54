"""The page in headless Chromium: silent, accessible, whole at both widths, and in step with its controls.

Chromium is Debian's package of that name; the two npm packages of package.json go to a scratch folder.
"""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from explorer_results import HOSTILE, write_results
from ten_questions import with_questions

from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.metrics import METRICS
from lossgeometry.explorer.page import VERSION, held_bundle, write_page

HERE = Path(__file__).parent

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed; install the Debian package chromium"),
    pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed; install the Debian package npm"),
]

WEIGHTS = {
    "map",
    "where",
    "where_all",
    "layers",
    "projections",
    "basis",
    "angles",
    "sizes-norm",
    "sizes-rank",
    "robustness",
}
FUNCTION = {"path", "barriers", "similarity"}
ACCURACIES = {"accuracy-reachable", "accuracy-hard"}
ANSWERS = ACCURACIES | {"forest-reachable", "forest-hard"}
EXPERIMENTS = {
    "paper": {"methods": 6, "seeds": 2, "rates": 1},
    "large": {"methods": 10, "seeds": 2, "rates": 1, "layers": 36},
    "two": {"methods": 2, "evaluation": False, "function": False},
    "own": {"methods": 0, "external": 2, "evaluation": False, "function": False},
    "one": {"methods": 1, "function": False},
}


@pytest.fixture(scope="session")
def tools() -> Path:
    """The scratch folder with the packages, kept between runs; ignored by git."""
    folder = HERE.parents[1] / "build" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    shutil.copy(HERE / "inspect_page.mjs", folder)
    return folder


@pytest.fixture(scope="session")
def findings(pages) -> list[dict]:
    """The findings of the page `paper`."""
    return held_bundle(pages["paper"].read_text(encoding="utf-8"))["findings"]


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, size in EXPERIMENTS.items():
        write_page(gather(**write_results(folder / name, **size)), folder / f"{name}.html")
    given = with_questions(write_results(folder / "questions", **EXPERIMENTS["paper"]), folder / "questions")
    write_page(gather(**given), folder / "questions.html")
    return {name: folder / f"{name}.html" for name in (*EXPERIMENTS, "questions")}


LARGE = "#arms=default,seed"
USED = {("paper", 1400, "light", ""), ("paper", 390, "light", ""), ("large", 1400, "light", LARGE)}
USED |= {("questions", 1400, "light", ""), ("questions", 390, "light", "")}
"""Views whose controls are turned; the others are only looked at."""
EVERY_VIEW = [
    *sorted(USED),
    ("paper", 1400, "dark", "#arms=default,seed,learning_rate&at=layer"),
    ("paper", 390, "dark", "#projection=q"),
    ("large", 390, "light", ""),
    *((name, width, "light", "") for name in ("two", "own", "one") for width in (1400, 390)),
]


@pytest.fixture(scope="session")
def views(tools, pages) -> dict[tuple, dict]:
    """What happened in every view, all in one browser."""
    keys = ("page", "width", "theme", "fragment", "use")
    asked = [dict(zip(keys, (str(pages[view[0]]), *view[1:], view in USED), strict=True)) for view in EVERY_VIEW]
    (tools / "views.json").write_text(json.dumps(asked), encoding="utf-8")
    command = ["node", "inspect_page.mjs", CHROMIUM, "views.json"]
    done = subprocess.run(command, cwd=tools, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    return dict(zip(EVERY_VIEW, json.loads(done.stdout), strict=True))


@pytest.fixture
def inspect(views):
    def inspect_page(name: str, width: int = 1400, theme: str = "light", fragment: str = "") -> dict:
        return views[name, width, theme, fragment]

    return inspect_page


@pytest.mark.parametrize(("name", "width", "theme", "fragment"), EVERY_VIEW)
def test_a_view_is_silent_accessible_and_whole(inspect, name, width, theme, fragment):
    found = inspect(name, width, theme, fragment)
    assert found["requests"] == []
    assert found["messages"] == []
    assert found["axe"] == []
    assert found["overflow"] <= 0
    assert found["cut"] == []
    assert found["overlapping"] == []


@pytest.mark.parametrize("width", [1400, 390])
def test_each_control_changes_every_chart_that_it_should(inspect, width):
    steps = {name: set(charts) for name, charts in inspect("paper", width)["steps"].items()}
    assert steps["layer"] == {"layers", "similarity"}
    assert steps["at"] == WEIGHTS - {"layers", "where", "where_all"}
    assert steps["layer and at"] == (WEIGHTS | {"similarity"}) - {"where", "where_all"}
    assert steps["projection"] >= {"map", "layers", "basis", "angles", "robustness"}
    assert steps["pair"] == {"layers", "where_all", "basis", "angles"} | FUNCTION
    assert steps["method"] == (WEIGHTS | FUNCTION | ANSWERS | {"training"}) - {"projections", "where"}
    assert steps["map"] == {"map"} and steps["basis"] == {"basis"} and steps["rank"] == {"sizes-rank"}
    assert steps["depth"] >= {"layers"} and steps["side"] == {"angles"}
    assert steps["loss"] == {"path", "barriers"} and steps["estimator"] == {"similarity"}
    assert steps["decoding"] == ACCURACIES and steps["quantity"] == {"training"}
    assert steps["theme"] >= {"map", "layers", "training"}


def test_the_address_holds_the_view(inspect):
    assert inspect("paper")["sameView"] and inspect("large", fragment=LARGE)["sameView"]


def test_the_theme_can_be_chosen(inspect):
    assert inspect("paper")["theme"] == "dark"


def test_definitions_show_on_focus_and_go_with_escape(inspect):
    found = inspect("paper")
    assert len(found["tip"]) > 60 and found["tipGone"]


def test_hostile_model_output_is_text(inspect):
    found = inspect("paper")
    assert found["hacked"] is None
    assert HOSTILE in found["samples"]


def test_the_csv_is_what_is_shown(inspect):
    text = inspect("paper")["csv"]
    head = [line for line in text.splitlines() if line.startswith("# ")]
    assert {"# experiment: made-up", f"# version: {VERSION}"} <= set(head)
    assert any(line.removeprefix("# metric: ") in METRICS for line in head)
    rows = list(csv.DictReader(io.StringIO("\n".join(line for line in text.splitlines() if not line.startswith("# ")))))
    shown = [row for row in rows if row["chart"] == "layers"]
    assert {row["layer"] for row in shown} == {"0", "1", "2", "3"}
    assert all(-1 <= float(row["value"]) <= 1 for row in shown)
    assert {row["name"] for row in rows if row["chart"] == "projections"} == {"q", "k", "v", "o"}


def test_the_brief_says_how_similar_and_what_it_cost(inspect):
    brief = inspect("paper")["brief"]
    assert "cosine 0.9" in brief and "Verdict: " in brief and " on reachable (sampled" in brief
    assert "cosine" in inspect("own")["brief"]


def test_the_page_adapts_to_what_ran(inspect):
    weights = {"pair", "map", "where", "layers", "outputs", "angles", "sizes"}
    assert set(inspect("own")["sections"]) == {"takeaways", "reading", *weights, "beside", "definitions", "methods"}
    assert "accuracy" not in inspect("two")["sections"] and "training" in inspect("two")["sections"]
    assert "map" not in inspect("one")["sections"] and "accuracy" in inspect("one")["sections"]


@pytest.mark.parametrize("width", [1400, 390])
def test_every_takeaway_leads_to_the_section_that_shows_it(inspect, findings, width):
    """By the keyboard alone: the sentence is that of findings.json, said again beside what it is about."""
    shown = inspect("paper", width)["takeaways"]
    by_id = {finding["id"]: finding for finding in findings}
    assert len(shown) == min(8, sum(finding["rank"] > 0 for finding in findings)) >= 4
    for one in shown:
        finding = by_id[one["id"]]
        assert one["statement"] == finding["statement"] and one["statement"] in one["said"]
        assert (
            one["section"] == finding["section"] and one["inView"] and f"section={finding['section']}" in one["address"]
        )


@pytest.mark.parametrize("width", [1400, 390])
def test_a_clicked_cell_is_in_focus_everywhere(inspect, width):
    bar, chart = inspect("paper", width)["focus"]
    assert bar == chart and " – " in bar


def test_a_figure_is_saved_and_the_citation_names_the_version(inspect):
    found = inspect("paper")
    assert found["svg"].startswith("<svg") and VERSION in found["cite"] and "2606.23740" in found["cite"]


def test_answers_stand_side_by_side_by_what_a_run_changed(inspect):
    gained = inspect("paper")["gained"]
    assert gained and all(marks == ["wrong", "right"] for marks in gained)


def test_a_second_experiment_stands_beside_this_one(inspect):
    refused, shown = inspect("paper")["beside"]
    assert "no explorer.json" in refused and "1 findings are in both experiments: 0 the same, 1 different" in shown
    assert "0.5 (0.25 to 0.75) cosine <b>theirs</b>" in shown and "another" in shown


def test_print_keeps_every_term_and_caption(inspect):
    printed = inspect("paper")["print"]
    assert len(printed["kept"]) > 40 and all(printed["kept"])
    assert printed["gone"] and not any(printed["gone"])


QUESTIONS = {
    "are two losses the same update": ("map", "direction.sft--dpo"),
    "in which layers and projections do they part": ("where", "place.sft--dpo"),
    "does the direction come from the rate": ("robustness", "rate.sft--dpo"),
    "which differences in accuracy are real": ("accuracy", "accuracy.reachable"),
    "does a seed matter more than a loss": ("robustness", "seed_or_loss"),
    "what is between them": ("connectivity", "between.reference_solution"),
    "what would harder rollouts change": ("regimes", "harder.sft--dpo"),
    "how does the direction form": ("cosine_by_step", "forms.sft--dpo"),
}
"""Section and finding of eight of the ten questions; what was written, and how to cite and export, have tests of their own."""


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_within_three_actions(inspect, pages, question, width):
    """A pair is chosen, by one select; what the section says is the sentence of findings.json."""
    section, key = QUESTIONS[question]
    held = held_bundle(pages["questions"].read_text(encoding="utf-8"))["findings"]
    statement = next(finding["statement"] for finding in held if finding["id"] == key)
    assert statement in inspect("questions", width)["answers"][section]
