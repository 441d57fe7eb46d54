"""Controls are named as such on the page, and what a similarity is read beside goes with it."""

import json

import pandas as pd
import pytest
from explorer_results import write_results

from lossgeometry.charts.figures import draw_figures
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.page import write_page
from lossgeometry.stage import Figure

CONTROL, SFT = "control.random", "sft.lr0.001.s42"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Three methods, and random directions that answer the benchmarks and are compared in their hidden states alone."""
    given = write_results(tmp_path_factory.mktemp("results"), methods=3)
    tables = given["tables"]

    def change(name, edit):
        edit(pd.read_csv(tables[name])).to_csv(tables[name], index=False)

    identity = {"run": CONTROL, "method": "control: random directions", "learning_rate": 0.0, "seed": 42}
    identity |= {"origin": "derived", "control": "random directions"}
    change("runs", lambda frame: pd.concat([frame, pd.DataFrame([identity])]))
    change("accuracy", lambda frame: pd.concat([frame, frame[frame.run == "base"].assign(run=CONTROL)]))
    change("cka", lambda frame: pd.concat([frame, frame[frame.run_a == SFT].iloc[:20].assign(run_b=CONTROL)]))
    change("geometry", lambda frame: frame.assign(control=0.3, replicate=0.9))
    return gather(**given)


def test_a_control_is_named_and_its_answers_are_shown(bundle):
    (run,) = [run for run in bundle["runs"] if run["id"] == CONTROL]
    assert run["name"] == "control: random directions"
    assert CONTROL in bundle["tables"]["accuracy"]["run"]
    assert run["arm"] == "control", "controls have a place of their own"


def test_what_a_similarity_is_read_beside_is_there_for_every_pair(bundle):
    cosine = bundle["geometry"]["metrics"]["cosine"]
    assert cosine["control"] == [0.3] * len(cosine["value"]) and cosine["replicate"] == [0.9] * len(cosine["value"])


def test_a_pair_without_weights_compared_breaks_neither_page_nor_figures(bundle, tmp_path):
    assert any(pair["id"] == f"{SFT}--{CONTROL}" for pair in bundle["pairs"])
    write_page(bundle, tmp_path / "page.html")
    figures = [
        Figure("map", "cosine_map", "", "map"),
        Figure("accuracy", "accuracy", "", "accuracy", state={"benchmark": "reachable"}),
    ]
    draw_figures(bundle, figures, tmp_path)
    assert "control: random directions" in (tmp_path / "accuracy.svg").read_text(encoding="utf-8")
    assert "control: random directions" not in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert json.dumps(bundle, allow_nan=False)
