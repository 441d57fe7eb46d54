"""Controls are runs: named as what they are, tested like any, and in no pair of methods unless it is asked for."""

from pathlib import Path

import pandas as pd
import yaml

from lossgeometry import jobs
from lossgeometry.claims.evidence import Evidence
from lossgeometry.evaluation.questions import LOSSES, questions
from lossgeometry.experiment.loading import load_config
from lossgeometry.experiment.runs import RANDOM, SHUFFLED, UNTRAINED, first_of_each_start

DEFAULT = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text(encoding="utf-8"))
del DEFAULT["edits"]  # they have random directions of their own
MADE = ["control.untrained", "control.random"]
SHUFFLED_RUNS = ["offline_grpo@control.lr0.001.s42", "offline_grpo@control.lr0.001.s123"]


def default(**changes):
    return load_config(DEFAULT | changes)


def test_every_evaluation_has_the_untrained_adapter_and_random_directions_of_the_reference():
    runs = default().runs
    assert [(run, runs[run].origin, runs[run].control) for run in MADE] == [
        (MADE[0], "untrained", UNTRAINED),
        (MADE[1], "derived", RANDOM),
    ]
    assert runs[MADE[1]].sources == ("sft.lr0.001.s42",)
    assert set(MADE) <= set(default().evaluated)
    assert default(geometry={"reference": "dpo"}).runs[MADE[1]].sources == ("dpo.lr0.0001.s42",)


def test_there_are_none_where_nothing_is_tested_or_trained_or_they_are_declined():
    declined = DEFAULT["evaluation"] | {"controls": False}
    adapters = {"adapters": {"mine": "my/folder"}, "methods": {}, "comparisons": {}}
    without = dict.fromkeys(("connectivity", "representations", "behaviour", "forgetting", "audit"), {})
    for config in (
        default(evaluation={}, **without),
        default(evaluation=declined),
        default(**adapters, **without),
    ):
        assert not set(MADE) & set(config.runs)


def test_made_controls_are_in_a_pair_only_where_it_is_named():
    assert not any(set(MADE) & set(pair) for pair in default().pairs)
    named = {"pairs": [["sft.lr0.001.s42", MADE[1]]]}
    assert default(comparisons=named).pairs[-1:] != [] and tuple(named["pairs"][0]) in default(comparisons=named).pairs


def test_hidden_states_of_every_run_are_compared_with_random_directions():
    pair = ("sft.lr0.001.s42", MADE[1])
    pairs = default().representation_pairs
    compared = {run for found in pairs for run in found} - {MADE[1]}
    assert {*pair, "dpo.lr0.0001.s42"} <= {*compared, MADE[1]}
    assert all(pairs.count((run, MADE[1])) == 1 for run in compared)
    assert default(representations={}).representation_pairs == []
    assert pair not in default().connectivity_pairs


def test_shuffled_verdicts_make_a_control_that_is_compared_and_is_no_evidence_for_a_claim():
    config = default()
    assert [run.id for run in config.runs.values() if run.control == SHUFFLED] == SHUFFLED_RUNS
    assert ("sft.lr0.001.s42", SHUFFLED_RUNS[0]) in config.pairs
    assert not {run.id for run in Evidence({}, list(config.runs.values())).runs} & {*MADE, *SHUFFLED_RUNS}


def test_an_order_replicate_is_no_further_seed_and_a_control_no_method():
    config = default()
    replicate = "sft.lr0.001.s42-o123"
    assert replicate in config.runs
    assert replicate not in [run.id for run in first_of_each_start(config.runs.values())]
    assert len(first_of_each_start(config.runs.values())) == len(config.runs) - 1
    table = pd.DataFrame(config.pairs, columns=["run_a", "run_b"])
    pairs = Evidence({"geometry": table}, list(config.runs.values())).seed_pairs()
    assert ("sft.lr0.001.s42", "sft.lr0.001.s123") in pairs
    assert not any(replicate in pair or "control" in pair[0] for pair in pairs)
    assert not {run.label for run in jobs.weights.swept_runs(config)} & {"offline_grpo@control"}


def test_no_control_is_in_the_families_of_the_losses():
    """A control among them would cost power, and "does a loss differ" would count what is no loss."""
    config = default()
    controls = {*MADE, *SHUFFLED_RUNS}
    asked = questions(config.runs.values(), config.pairs)
    for question in asked:
        if "control" not in question.name and not question.name.startswith("do the seeds of offline_grpo@control"):
            assert not controls & {run for pair in question.pairs for run in pair}, question
    assert {len(question.pairs) for question in asked if question.name == LOSSES} == {28}
    to_base = [q for q in asked if q.name == "does a control change the base's accuracy"]
    assert {run for question in to_base for _, run in question.pairs} == controls
