"""The audit's tables: columns as described, curves through the measured point, verdicts and what cannot be told."""

import json

import numpy as np
import pandas as pd
import pytest

from lossgeometry.audit import tables
from lossgeometry.audit.predictions import AS_PREDICTED, MISSED, agreement, predictions
from lossgeometry.audit.section import section
from lossgeometry.audit.stage import AGREEMENT, AUDIT, NOISE, PREDICTIONS, REGIME
from lossgeometry.files.safetensors import write_tensors

FOLDS, WIDTH, LABELS = 8, 300, ["sft", "rft", "dpo"]
MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"]


def write(path, seed=0, wrong=30):
    """Write products of made-up gradients: sft takes all rows, rft the right ones, dpo a pair of each kind; 70 are right."""
    draw = np.random.default_rng(seed)
    style, verdict = np.zeros((2, WIDTH))
    style[0], verdict[1] = 1.0, 1.0
    vectors = np.zeros((3, FOLDS, 2, len(MODULES), WIDTH))
    for fold in range(FOLDS):
        right = 70 / FOLDS * (style + verdict) + draw.normal(size=(len(MODULES), WIDTH))
        lost = wrong / FOLDS * (style - verdict) + draw.normal(size=(len(MODULES), WIDTH)) * (wrong > 0)
        vectors[0, fold] = lost, right
        vectors[1, fold] = 0 * lost, right
        vectors[2, fold] = -lost / max(wrong, 1), right / 70
    tensors = {"gram": vectors.reshape(6 * FOLDS, -1) @ vectors.reshape(6 * FOLDS, -1).T}
    whole = vectors.sum(axis=(1, 2)).reshape(3, -1)
    tensors["placebo"] = whole @ whole.T
    for place, module in enumerate(MODULES):
        flat = vectors[..., place, :].sum(axis=2).reshape(3 * FOLDS, -1)
        summed = flat.reshape(3, FOLDS, -1).sum(axis=1)
        tensors |= {f"{module}.gram": flat @ flat.T, f"{module}.adam": summed @ summed.T}
        tensors[f"{module}.chance"] = np.outer(*[np.diag(summed @ summed.T)] * 2) / WIDTH
    tensors |= {"sizes": np.full(FOLDS, 10.0), "rows": np.array([[wrong, 70], [0, 70], [wrong, 70.0]])}
    tensors["units"] = np.array([70.0 + wrong, 70, 20])
    write_tensors(path, tensors, {"labels": json.dumps(LABELS), "paired": '["dpo"]', "composed": "[null, null, null]"})
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("audit") / "a.safetensors")
    return tables.tabulate({"initialisation": path}, (0.2, 0.7, 0.9), {"sft": 200, "rft": 200, "dpo": 200})


def test_columns_are_as_the_stage_says(found):
    for frame, table in zip(found, (AUDIT, NOISE, REGIME), strict=True):
        assert list(frame) == [column.name for column in table.columns]


def test_every_pair_has_the_whole_model_its_layers_and_its_projections(found):
    audit = found[0]
    places = audit[audit.loss_b == "rft"][["scope", "layer", "projection"]].astype(object).fillna("").values.tolist()
    assert places == [["global", "", ""], ["projection", "", "q"], ["layer", 0, ""], ["layer", 1, ""]]


def test_a_curve_goes_through_the_measured_cosine_at_the_measured_share(found):
    """At the share of right rows that the rollouts have, 0.7, nothing is extrapolated."""
    audit, _, regime = found
    here = regime[regime.share == 0.7].set_index(["loss_a", "loss_b"])
    whole = audit[audit.scope == "global"].set_index(["loss_a", "loss_b"])
    for key in ("cosine", "corrected", "corrected_se"):
        np.testing.assert_allclose(here.loc[("sft", "rft"), key], whole.loc[("sft", "rft"), key], rtol=1e-9)
        assert here.loc[("sft", "rft"), key] == pytest.approx(here.loc[("rft", "sft"), key])
    ends = regime[(regime.loss_a == "sft") & (regime.loss_b == "rft")].set_index("share").cosine
    assert ends[0.2] < ends[0.7] < ends[0.9], "the fewer wrong rows, the more alike"


def test_passes_and_what_a_loss_takes(found):
    noise = found[1].set_index("loss")
    assert noise.passes.tolist() == [2.0, 200 / 70, 10.0] and noise.rows_wrong.tolist() == [30, 0, 30]
    assert (noise.prompts_95 > noise.prompts_80).all() and (noise.prompts == 80).all()


def test_a_direction_is_judged_by_its_interval():
    values, errors = pd.Series([0.99, 0.9, 0.9, np.nan]), pd.Series([0.01, 0.01, 0.1, np.nan])
    assert tables.directions(values, errors).tolist() == ["one direction", "apart", "cannot tell", "cannot tell"]


def test_an_estimate_beyond_one_is_shown_with_its_whole_interval_and_as_noise(found):
    audit = found[0].assign(corrected=1.244, corrected_se=0.381)
    text = section({"audit": audit, "noise": found[1]}, {})
    assert "1.244 (0.497 to 1.991), above 1 by noise" in text and "to 1.000)" not in text


def test_without_wrong_rows_their_part_is_said_to_be_unknown(tmp_path):
    _, _, regime = tables.tabulate({"initialisation": write(tmp_path / "a.safetensors", wrong=0)}, (0.5,), {})
    assert regime.cosine.isna().all() and (regime.note == tables.NO_WRONG).all()


def made_up(draw, losses, noise):
    """Return tables of predicted cosines and trained ones that follow them but for noise."""
    names = [f"l{number}" for number in range(losses)]
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    predicted = draw.uniform(-0.2, 1.0, len(pairs))
    audit = pd.DataFrame(pairs, columns=["loss_a", "loss_b"]).assign(point="initialisation", scope="global")
    audit = audit.assign(cosine=predicted, corrected=predicted, corrected_se=0.01, adam=predicted)
    ends = pd.DataFrame([(f"{a}.x", f"{b}.x") for a, b in pairs], columns=["run_a", "run_b"])
    trained = ends.assign(scope="global", metric="cosine", value=predicted + noise * draw.normal(size=len(pairs)))
    told = [{"run_a": f"{a}.x", "run_b": f"{b}.x", "loss_a": a, "loss_b": b, "kind": "own rates"} for a, b in pairs]
    passes = pd.DataFrame({"point": "initialisation", "loss": names, "passes": [40.0] + [1.0] * (losses - 1)})
    return audit, passes, trained, told


def test_predictions_stand_beside_what_was_trained():
    audit, passes, trained, told = made_up(np.random.default_rng(0), 6, 0.0)
    trained.loc[0, "value"] = audit.cosine[0] - 0.3
    trained.loc[14, "value"] = audit.cosine[14] + 0.3
    table = predictions(audit, passes, trained, told, 0.15, "digest")
    assert list(table) == [column.name for column in PREDICTIONS.columns]
    assert table.verdict.tolist() == [MISSED] + [AS_PREDICTED] * 13 + [MISSED]
    assert table.reason[0] == "l0 passes 40 times over its rows" and table.reason[14].startswith("training itself")
    assert (table.registered == "digest").all() and table.difference[0] == pytest.approx(-0.3)


@pytest.mark.slow
def test_agreement_is_one_for_what_was_foretold_and_calibrated_for_what_was_not():
    told = agreement(predictions(*made_up(np.random.default_rng(0), 6, 0.0), 0.15, ""))
    assert list(told) == [column.name for column in AGREEMENT.columns]
    row = told.iloc[0]
    assert row.spearman == pytest.approx(1) and row.p <= 2 / 720 and row.missed == 0 and row.pairs == 15
    levels = []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        audit, passes, trained, pairs = made_up(draw, 5, 0.0)
        trained["value"] = draw.permutation(trained.value)
        levels.append(agreement(predictions(audit, passes, trained, pairs, 0.15, "")).p[0])
    assert 0.35 < np.mean(levels) < 0.65 and np.mean(np.array(levels) < 0.1) < 0.25


def test_few_losses_give_no_interval_and_fewer_no_correlation():
    """Three pairs agree in their ranks too easily for a jackknife: it would give an interval of no width."""
    four = agreement(predictions(*made_up(np.random.default_rng(0), 4, 0.1), 0.15, "")).iloc[0]
    assert four.pairs == 6 and np.isfinite([four.spearman, four.p]).all() and np.isnan(four.spearman_low)
    assert four.note == "no interval: without one loss, fewer than 6 pairs are left"
    two = agreement(predictions(*made_up(np.random.default_rng(0), 2, 0.1), 0.15, "")).iloc[0]
    assert np.isnan(two.spearman) and two.note == "a correlation takes 3 pairs" and two.missed in (0, 1)


def test_noise_that_hides_every_gradient_leaves_the_other_predictors():
    audit, passes, trained, pairs = made_up(np.random.default_rng(0), 6, 0.1)
    table = predictions(audit.assign(corrected=np.nan, corrected_se=np.nan), passes, trained, pairs, 0.15, "")
    found = agreement(table).set_index("predictor")
    assert found.pairs.to_dict() == {"cosine": 15, "corrected": 0, "adam": 15}
    assert found.note.corrected and np.isnan(found.spearman.corrected) and found.spearman.cosine > 0.5
