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
        ({"a": {"of": SFT, "grow": 2}}, r"edits\.a\.grow: there is no such key"),
    ],
)
def test_what_cannot_be_computed_is_one_sentence(edits, sentence):
    with pytest.raises(ConfigError, match=sentence):
        config(**edits)
