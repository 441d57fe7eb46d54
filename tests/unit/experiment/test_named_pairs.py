"""Pairs are named by methods, at whatever seeds and rates these are trained."""

import re

import pytest

from lossgeometry.experiment.runs import expand_pairs, expand_runs
from lossgeometry.settings.comparisons import Comparisons
from lossgeometry.settings.training import Method

METHODS = {
    "sft": Method(learning_rate=1e-3),
    "dpo": Method(learning_rate=1e-4, learning_rates=(1e-3,)),
    "dpo@beta0.5": Method(learning_rate=1e-4, seeds=(7,)),
}
NONE = {"methods": False, "seeds": False, "learning_rates": False, "adapters": False}


def pairs(named, trained=(1, 2), **keys):
    runs = expand_runs(METHODS, trained, {"mine": "folder"})
    return expand_pairs(runs, Comparisons(**NONE | keys, pairs=named))


@pytest.mark.parametrize("seeds", [(1, 2), (5,)])
def test_two_methods_are_compared_at_their_defaults_and_their_first_seed(seeds):
    assert pairs([("dpo", "sft")], seeds) == [(f"sft.lr0.001.s{seeds[0]}", f"dpo.lr0.0001.s{seeds[0]}")]
    assert pairs([("sft", "dpo.lr0.001")], seeds) == [(f"sft.lr0.001.s{seeds[0]}", f"dpo.lr0.001.s{seeds[0]}")]


def test_run_ids_and_adapters_name_pairs_too():
    assert pairs([("sft.lr0.001.s1", "dpo.lr0.0001.s2")]) == [("sft.lr0.001.s1", "dpo.lr0.0001.s2")]
    assert pairs([("mine", "sft")]) == [("sft.lr0.001.s1", "external.mine")]


def test_a_method_is_left_out_with_all_its_runs():
    assert pairs([], methods=True, seeds=True, exclude=("dpo",)) == [("sft.lr0.001.s1", "sft.lr0.001.s2")]


OF_ONE_SEED = "are no two runs of one seed; let their seeds agree, or name two run ids"


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        (("sft", "dpp"), "there is no dpp; name one of sft, dpo, dpo@beta0.5, mine, at another rate as"),
        (("sft", "dpo@beta0.5"), f"pairs: sft (seed 1, 2) and dpo@beta0.5 (seed 7) {OF_ONE_SEED}"),
        (("sft", "sft"), f"pairs: sft (seed 1, 2) and sft (seed 1, 2) {OF_ONE_SEED}"),
    ],
)
def test_what_names_no_pair_is_told(named, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        pairs([named])
