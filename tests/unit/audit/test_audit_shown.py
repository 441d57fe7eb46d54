"""What the summary and the page show of the audit: the tables' own verdicts and numbers."""

import re

import pandas as pd
import pytest
from explorer_results import write_results
from test_audit_tables import write

from lossgeometry.audit import section
from lossgeometry.audit.predictions import agreement, compositions, predictions
from lossgeometry.audit.stage import STAGE
from lossgeometry.audit.tables import tabulate
from lossgeometry.charts.figures import draw_figures
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.page import held_bundle, panels_of, write_page
from lossgeometry.files.csv_rows import read_frame, write_frame
from lossgeometry.stage import Figure


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The made-up results of an experiment, with the tables of an audit."""
    folder = tmp_path_factory.mktemp("shown")
    given = write_results(folder / "made-up", methods=6, evaluation=False, function=False)
    geometry = pd.read_csv(given["tables"]["geometry"])
    runs = geometry[["run_a", "run_b"]].drop_duplicates()
    labels = ["sft", "rft", "dpo"]
    pairs = [
        {"run_a": a, "run_b": b, "loss_a": a.partition(".")[0], "loss_b": b.partition(".")[0], "kind": "own rates"}
        for a, b in runs.itertuples(index=False)
        if a.partition(".")[0] in labels and b.partition(".")[0] in labels
    ]
    audit, noise, regime = tabulate({"initialisation": write(folder / "a.safetensors")}, (0.3, 0.7, 0.9), {})
    predicted = predictions(audit, noise, geometry, pairs, 0.15, "digest")
    composed = [pair | {"share": 0.3, "curve_a": pair["loss_a"], "curve_b": pair["loss_b"]} for pair in pairs]
    frames = {"audit": audit, "noise": noise, "regime": regime, "predictions": predicted}
    frames |= {"agreement": agreement(predicted), "composition": compositions(predicted, regime, composed)}
    described = {table.name: table for table in STAGE.tables}
    for name, frame in frames.items():
        write_frame(folder / f"{name}.csv", frame)
        given["tables"][name] = folder / f"{name}.csv"
        assert list(frame) == [column.name for column in described[name].columns]
    told = given["page"].tables | {name: described[name].on_page for name in frames}
    given["page"] = given["page"].model_copy(update={"tables": told})
    return given, folder, len(pairs)


def test_the_page_has_a_section_for_what_was_predicted(given):
    given, folder, pairs = given
    bundle = gather(**given)
    assert pairs >= 2 and [panel["id"] for panel in panels_of(bundle)][:3] == ["predicted", "regimes", "composition"]
    write_page(bundle, folder / "explorer.html")
    held = held_bundle((folder / "explorer.html").read_text(encoding="utf-8"))
    assert held["panels"][0]["title"] == "What did the gradients say before training?"


def test_figures_have_one_mark_for_every_row(given):
    given, folder, pairs = given
    state = {"loss_a": "sft"}
    figures = [
        Figure("predicted", "predicted", "Before training", "predicted", "trained"),
        Figure("regimes", "regimes", "Before training", "regimes", "predicted cosine with sft", "sft", state),
        Figure("composition", "composition", "Before training", "composition", "cosine with sft", "sft", state),
    ]
    draw_figures(gather(**given), figures, folder)
    drawn = {figure.name: (folder / f"{figure.name}.svg").read_text(encoding="utf-8") for figure in figures}
    dots = re.search(r'<g class="mark-symbol [^"]*"[^>]*>(.*?)</g>', drawn["predicted"], re.S)
    assert dots and dots[1].count("<path") == pairs
    assert "cosine of the gradients before training" in drawn["predicted"]
    assert (
        "predicted cosine with sft" in drawn["regimes"] and ">RFT<" in drawn["regimes"] and ">DPO<" in drawn["regimes"]
    )
    assert ">sft<" not in drawn["regimes"], "a loss is not compared with itself"


def test_the_curve_through_trained_compositions_is_the_whole_one(given):
    given, folder, _ = given
    table, regime = (read_frame(folder / f"{name}.csv") for name in ("composition", "regime"))
    for (a, b), rows in table.groupby(["loss_a", "loss_b"]):
        curve = regime[(regime.loss_a == a) & (regime.loss_b == b)].set_index("share").cosine
        assert {0.3, 0.7, 0.9} == set(rows.share) and len(rows[rows.run_a.isna()]) == 2
        assert rows.curve.to_numpy() == pytest.approx(curve[rows.share].to_numpy())
        assert (rows.trained.isna() == rows.run_a.isna()).all()


def test_the_summary_says_the_tables_verdicts(given):
    given, folder, _ = given
    names = ("audit", "noise", "predictions", "agreement")
    frames = {name: read_frame(folder / f"{name}.csv") for name in names}
    text = section.section(frames, {})
    for row in frames["audit"].query("scope == 'global'").itertuples():
        assert f"| {row.loss_a} - {row.loss_b} | {row.cosine:.3f} |" in text and f"| {row.direction} |" in text
    for row in frames["predictions"].itertuples():
        assert f"| {row.run_a} - {row.run_b} | {row.predicted:.3f} | {row.trained:.3f} |" in text
    assert "no interval: without one loss, fewer than 6 pairs are left" in text
    assert section.section({}, {}) == ""
