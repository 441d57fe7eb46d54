"""What was forgotten is read from the other stages' tables as it stands there, and what was not measured is undefined."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from explorer_results import write_results
from geometry_tools import delta_of, name, random_factors

from lossgeometry.charts.figures import draw_figures
from lossgeometry.explorer.bundle import gather
from lossgeometry.findings.names import Names
from lossgeometry.forgetting.section import section
from lossgeometry.forgetting.stage import STAGE
from lossgeometry.forgetting.statements import statements
from lossgeometry.forgetting.tabulation import foretold, forgotten
from lossgeometry.updates.stored import Delta

RUNS = {
    f"{method}.{number}": {"method": method, "kind": "trained"} for method in ("sft", "rft", "dpo") for number in (1, 2)
}

COLUMNS_OF_RUNS = ["run", "method", "learning_rate", "seed"]


@pytest.fixture
def made(tmp_path):
    """The tables of six runs whose accuracy falls by twice their divergence."""
    rng = np.random.default_rng(0)
    accuracy, behaviour = [], []
    for run in ["base", *RUNS]:
        kl = 0.0 if run == "base" else float(rng.uniform(0.01, 0.1))
        for benchmark, decoding, change in (
            ("reachable", "greedy", 0.5),
            ("other", "greedy", 0.1),
            ("other", "sampled", -2 * kl),
        ):
            accuracy.append((run, benchmark, decoding, 0.8 + change, change, change - 0.01, change + 0.02))
        for text, measure, value in (
            *(("base", "kl_base_run", kl), ("own", "kl_run_base", 2 * kl), ("other", "log_p_change", -kl)),
            ("other", "kl_base_run", 7.0),
        ):
            behaviour += [(run, text, part, measure, value, value - 0.1, value + 0.3) for part in ("all", "tenth 1")]
    columns = ["run", "benchmark", "decoding", "accuracy", "difference_to_base", "difference_low", "difference_high"]
    pd.DataFrame(accuracy, columns=columns).to_csv(tmp_path / "accuracy.csv", index=False)
    columns = ["run", "text", "part", "measure", "value", "low", "high"]
    pd.DataFrame(behaviour, columns=columns).to_csv(tmp_path / "behaviour.csv", index=False)
    tokens = [("base", "a", -9.0), ("other", "a", -0.5), ("other", "a", -1.0), ("other", "b", -0.3)]
    pd.DataFrame(tokens, columns=["text", "problem_id", "log_p"]).to_parquet(tmp_path / "base.parquet")
    deltas = {}
    for run in RUNS:
        deltas[run] = delta_of(tmp_path / run, {name(0, "q"): random_factors(rng, 6, 2, 5)}).path
    return tmp_path, deltas


def test_numbers_are_those_of_the_other_tables(made):
    folder, deltas = made
    relations = [(run, "global", "base_cosine", "output", 0.25) for run in list(RUNS)[:3]]
    relations += [(run, "layer", "base_cosine", "output", 9.0) for run in RUNS]
    frame = pd.DataFrame(relations, columns=["run", "scope", "metric", "side", "value"])
    frame.to_csv(folder / "relations.csv", index=False)
    rows = forgotten(
        RUNS,
        "other",
        folder / "accuracy.csv",
        folder / "behaviour.csv",
        folder / "base.parquet",
        deltas,
        folder / "relations.csv",
        {},
    )
    assert [row.run for row in rows] == list(RUNS)
    for row in rows:
        assert row.decoding == "sampled" and row.accuracy_change == pytest.approx(-2 * row.kl_base_run)
        assert row.accuracy_low == pytest.approx(row.accuracy_change - 0.01)
        assert row.kl_run_base == pytest.approx(2 * row.kl_base_run)
        assert row.cross_entropy_change == pytest.approx(row.kl_base_run)
        assert row.cross_entropy == pytest.approx(1.8 / 3 + row.cross_entropy_change)
        assert row.cross_entropy_low == pytest.approx(row.cross_entropy_change - 0.3)
        assert row.cross_entropy_high == pytest.approx(row.cross_entropy_change + 0.1)
        assert row.norm == pytest.approx(Delta(deltas[row.run]).norm) and np.isnan(row.cka_shift)
    assert [row.base_cosine_output for row in rows[:3]] == [0.25] * 3 and np.isnan(rows[3].base_cosine_output)


def test_a_law_that_is_there_is_found_and_told(made):
    folder, deltas = made
    tables = (folder / "accuracy.csv", folder / "behaviour.csv", folder / "base.parquet")
    rows = forgotten(RUNS, "other", *tables, deltas, None, {})
    found = foretold(rows)
    best = found[0]
    assert best.outcome == "accuracy_change" and best.predictor in ("kl_base_run", "kl_run_base")
    assert best.r2_unseen == pytest.approx(1)
    assert {row.predictor for row in found} == {"kl_base_run", "kl_run_base", "norm"}
    frames = {"forgetting": pd.DataFrame(rows), "forgetting_law": pd.DataFrame(found)}
    told = section(frames, {})
    assert told.count("| dpo.1 |") == 1 and "| KL(base, run) | 1.00 | too few | 1.00 | -1.00 |" in told
    table = pd.DataFrame({"run": list(RUNS), "method": [run.partition(".")[0] for run in RUNS], "learning_rate": 1e-3})
    names = Names(table.assign(seed=[run.rpartition(".")[2] for run in RUNS]), {}, "sft")
    said = {finding.id: finding.statement for finding in statements(frames, names)}
    text = said["forgetting.accuracy_change"]
    assert (
        text.startswith("Of the change of accuracy in the other skill, the KL(")
        and "R² 1.00 on methods left out" in text
    )
    worst = min(rows, key=lambda row: row.accuracy_change)
    assert f"{100 * worst.accuracy_change:+.1f}".replace("-", "−") in said["forgetting"]


def test_what_is_forgotten_at_another_rate_is_told_beside_what_is_not():
    """No loss forgets at its own rate, and DPO does at another: the first alone would be refuted by the table."""
    runs = {
        "sft.1": ("sft", 1e-3, -0.01, 0.02),
        "dpo.1": ("dpo", 1e-4, -0.02, 0.01),
        "dpo.2": ("dpo", 1e-3, -0.13, -0.1),
    }
    table = pd.DataFrame([(run, label, rate, "42") for run, (label, rate, *_) in runs.items()], columns=COLUMNS_OF_RUNS)
    rows = [
        {"run": run, "benchmark": "other", "decoding": "sampled", "accuracy_change": low, "accuracy_low": low - 0.03}
        | {"accuracy_high": high, "accuracy": 0.7 + low}
        for run, (_, _, low, high) in runs.items()
    ]
    (finding,) = statements({"forgetting": pd.DataFrame(rows)}, Names(table, {}, "sft"))
    assert "0 of 2 runs lies below the base's accuracy, each at its own learning rate" in finding.statement
    assert "At other rates that of 1 of 1 does, furthest" in finding.statement and "−13.0 points" in finding.statement
    helpless = pd.DataFrame(rows).assign(accuracy=0.0, accuracy_change=0.0)
    (finding,) = statements({"forgetting": helpless}, Names(table, {}, "sft"))
    assert finding.verdict == "cannot tell: the base solves nothing" and "runs lies" not in finding.statement


def test_every_run_is_a_point_of_the_figure(made, tmp_path):
    folder, deltas = made
    given = write_results(tmp_path / "page", methods=3, evaluation=False, function=False)
    trained = pd.read_csv(given["tables"]["runs"]).run.tolist()
    tables = (folder / "accuracy.csv", folder / "behaviour.csv", folder / "base.parquet")
    found = forgotten(RUNS, "other", *tables, deltas, None, {})
    rows = [row._replace(run=run) for row, run in zip(found, trained, strict=False)]
    for table, written in (("forgetting", rows), ("forgetting_law", foretold(found))):
        given["tables"][table] = tmp_path / f"{table}.csv"
        pd.DataFrame(written).to_csv(given["tables"][table], index=False)
    added = dict.fromkeys(("forgetting", "forgetting_law"))
    given["page"] = given["page"].model_copy(update={"tables": {**given["page"].tables, **added}})
    (figure,) = STAGE.figures(SimpleNamespace(forgets=True))
    draw_figures(gather(**given), [figure], tmp_path)
    drawn = (tmp_path / "forgetting.svg").read_text(encoding="utf-8")
    assert "undefined in every run" not in drawn and figure.title in drawn
    marks = drawn.partition("mark-symbol")[2].partition("</g>")[0]
    assert marks.count("<path") == len(rows)


@pytest.mark.parametrize(
    ("r2", "least", "rests_on", "verdict"),
    [
        (0.9, 0.4, "sft", "better than the mean"),
        (0.9, -0.2, "dpo", "cannot tell: it rests on dpo"),
        (0.9, float("nan"), "", "cannot tell: too few methods"),
        (-0.1, -0.2, "dpo", "none is better than the mean"),
    ],
)
def test_a_law_that_rests_on_one_method_is_not_said_to_hold(r2, least, rests_on, verdict):
    table = pd.DataFrame([("sft.1", "sft", 1e-3, "42")], columns=COLUMNS_OF_RUNS)
    change = {"run": "sft.1", "benchmark": "other", "decoding": "sampled", "accuracy": 0.7, "accuracy_change": 0.0}
    rows = pd.DataFrame([change | {"accuracy_low": -0.01, "accuracy_high": 0.01}])
    law = {"outcome": "accuracy_change", "predictor": "norm", "runs": 9, "methods": 4, "r2_unseen": r2}
    law = pd.DataFrame([law | {"r2_least": least, "rests_on": rests_on or float("nan")}])
    _, finding = statements({"forgetting": rows, "forgetting_law": law}, Names(table, {}, "sft"))
    assert finding.verdict == verdict
    assert ("; without dpo it is −0.20" in finding.statement) == (rests_on == "dpo")
