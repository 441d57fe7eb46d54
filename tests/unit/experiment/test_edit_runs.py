"""Edits of the configuration: the runs that they make, and what is refused before anything runs."""

import pytest

from lossgeometry.errors import ConfigError
from lossgeometry.experiment.loading import load_config

SFT, DPO = "sft.lr0.001.s1", "dpo.lr0.001.s1"


def config(**edits):
    methods = {"sft": {"learning_rate": 1e-3}, "dpo": {"learning_rate": 1e-3}}
    prompts = {"source": "generated", "count": 8}
    return load_config({"experiment": "x", "seeds": [1], "methods": methods, "prompts": prompts, "edits": edits})


def test_an_edit_is_a_run_with_its_random_directions_and_no_pair_of_its_own():
    made = config(half={"of": SFT, "scale": 0.5}, less={"of": "half", "reject": "dpo", "random_control": False})
    runs = [made.runs[name] for name in ("edit.half", "edit.half.random", "edit.less")]
    assert [run.sources for run in runs] == [(SFT,), ("edit.half",), ("edit.half", DPO)]
    assert {run.origin for run in runs} == {"derived"} and made.pairs == [(SFT, DPO)]


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ({"a": {"of": "rft", "scale": 2}}, r"edits\.a: there is no run rft; the runs are sft\.lr0\.001\.s1"),
        ({"a": {"of": "a", "scale": 2}}, r"edits\.a: it is computed from itself"),
        ({"a": {"of": "b", "scale": 2}, "b": {"sum": {SFT: 1, "a": 1}}}, r"edits\.a: it is computed from itself"),
        ({"../a": {"of": SFT, "scale": 2}}, r"edits\.'\.\./a': the name is also a folder's"),
        ({"a": {"of": SFT, "truncate": 0}}, r"edits\.a\.truncate: .*greater than or equal to 1"),
        ({"a": {"of": SFT, "to_kl": 0.003}}, r"edits\.a\.to_kl: .*set behaviour\.problems"),
        ({"a": {"of": SFT, "to_kl": -1}}, r"edits\.a\.to_kl: .*greater than 0"),
        ({"a": {"of": SFT, "grow": 2}}, r"edits\.a\.grow: there is no such key"),
    ],
)
def test_what_cannot_be_computed_is_one_sentence(edits, sentence):
    with pytest.raises(ConfigError, match=sentence):
        config(**edits)


@pytest.mark.parametrize(
    ("forgetting", "sentence"),
    [
        ({"benchmark": "other"}, r"forgetting\.benchmark: there is no other"),
        ({"benchmark": "easy"}, r"forgetting\.benchmark: .*name that one in behaviour\.benchmark"),
        ({"benchmark": "hard", "passage_tokens": 1}, r"forgetting\.passage_tokens: .*greater than or equal to 2"),
    ],
)
def test_forgetting_is_of_another_benchmark_than_behaviour(forgetting, sentence):
    problems = {"source": "generated", "count": 8}
    experiment = {
        "experiment": "x",
        "methods": {"sft": {"learning_rate": 1e-3}},
        "prompts": problems,
        "evaluation": {"benchmarks": {"easy": problems, "hard": problems}},
        "behaviour": {"problems": 4, "benchmark": "easy"},
    }
    assert load_config(experiment | {"forgetting": {"benchmark": "hard"}}).forgets
    with pytest.raises(ConfigError, match=sentence):
        load_config(experiment | {"forgetting": forgetting})
