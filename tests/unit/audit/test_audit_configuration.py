"""What the audit and compositions are asked for: wrong keys are one sentence."""

from pathlib import Path

import pytest
import yaml

from lossgeometry import jobs
from lossgeometry.audit.losses import audited
from lossgeometry.errors import ConfigError
from lossgeometry.experiment.loading import load_config

CONFIG = Path(__file__).parents[3] / "config"
BASE = {
    "experiment": "audited",
    "prompts": {"source": "generated", "count": 64},
    "methods": {"sft": {"learning_rate": 1e-3}, "online_grpo": {"learning_rate": 1e-3}, "dpo": {"learning_rate": 1e-4}},
    "audit": {"points": ["initialisation"]},
}


def test_losses_that_train_on_the_rollouts_are_audited_once():
    config = load_config(BASE | {"seeds": [1, 2]})
    assert [run.id for run in audited(config)] == ["sft.lr0.001.s1", "dpo.lr0.0001.s1"]
    assert [loss["label"] for loss in jobs.audit.gradients(config)["losses"]] == ["sft", "dpo"]
    kinds = {pair["run_a"]: pair["kind"] for pair in jobs.audit.predictions(config)["pairs"]}
    assert kinds == {"sft.lr0.001.s1": "own rates", "sft.lr0.001.s2": "own rates, other seeds"}
    assert audited(load_config({key: value for key, value in BASE.items() if key != "audit"})) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"audit": {"points": ["nowhere"]}},
            "audit.points: there is no nowhere; choose among initialisation, sft.lr0.001",
        ),
        ({"methods": {"online_grpo": {"learning_rate": 1e-3}}}, "audit.points: no method trains on the rollouts"),
        ({"training": {"mean_over": "rows"}}, "training.mean_over: the audit knows the mean over tokens alone"),
        ({"audit": {"shares": [0.0, 0.5]}}, "audit.shares: give shares strictly between 0 and 1"),
        (
            {"methods": {"sft": {"learning_rate": 1e-3, "composition": "half"}}},
            "methods.sft.composition: there is no half; describe it in rollouts.compose",
        ),
        (
            {
                "methods": {"online_grpo": {"learning_rate": 1e-3, "composition": "half"}},
                "rollouts": {"compose": {"half": {"rows": 8, "right": 0.5}}},
            },
            "online_grpo samples for itself, so there is nothing to compose",
        ),
    ],
)
def test_what_cannot_be_asked_is_said(change, said):
    with pytest.raises(ConfigError, match=said):
        load_config(BASE | change)


def test_the_regimes_compare_within_a_composition_and_follow_the_curves_of_all_rollouts():
    config = load_config(yaml.safe_load((CONFIG / "regimes.yaml").read_text(encoding="utf-8")))
    assert len(config.trained) == 6 * 6 * 2 and len(config.pairs) == 15 * 6 * 2
    told = jobs.audit.predictions(config)["pairs"]
    composed = [pair for pair in told if "share" in pair]
    assert len(composed) == 15 * 5 * 2 and {pair["share"] for pair in composed} == {0.95, 0.9, 0.7, 0.5, 0.3}
    assert {pair["curve_a"] for pair in composed} <= {"sft", "rft", "dft", "rift", "offline_grpo"}
    assert set(config.audit.shares) | {0.95, 0.9, 0.7, 0.5, 0.3} == set(jobs.audit.tables(config)["shares"])
