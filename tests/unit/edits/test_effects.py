"""What an edit kept and what it does: by hand, in simulation, and undefined where nothing can be said."""

import json

import numpy as np
import pytest
from geometry_tools import name, random_factors, write_adapter
from graded_answers import write_answers

from lossgeometry.edits.derivation import derive
from lossgeometry.edits.effects import effects, kept_of_parents
from lossgeometry.errors import InputError
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.loading import load
from lossgeometry.updates.reduction import write_delta


def test_an_edit_is_beside_the_base_its_parent_and_random_directions(tmp_path):
    draw = np.random.default_rng(2)
    base, gain, half = draw.random(400) < 0.4, draw.random(400) < 0.4, draw.random(400) < 0.5
    solved = {"base": base, "sft": base | gain, "edit.half": base | gain & half, "edit.half.random": base}
    for run, correct in solved.items():
        write_answers(tmp_path, run, correct)
    edits = {"edit.half": {"operation": "scale 0.5", "parent": "sft", "control": "edit.half.random", "norm_of": ""}}
    table = effects(edits, ["easy"], tmp_path, 0.02).set_index("question")
    against = {f"edits against {other}" for other in ("base", "parent", "random directions")}
    assert set(table.index) == {*against, "random directions against base"}
    assert table.loc["random directions against base", "difference"] == 0
    for other, run in (("base", "base"), ("parent", "sft"), ("random directions", "edit.half.random")):
        row = table.loc[f"edits against {other}"]
        assert row["run_a"] == run and row["verdict"] == "different"
        assert row["difference"] == pytest.approx(solved["edit.half"].mean() - solved[run].mean())
    share = (solved["edit.half"].mean() - base.mean()) / (solved["sft"].mean() - base.mean())
    row = table.loc["edits against parent"]
    assert row["kept_share"] == pytest.approx(share) and row["kept_low"] < share < row["kept_high"]
    assert np.isnan(table.loc["edits against base"]["kept_share"])


def test_answers_to_other_problems_are_refused(tmp_path):
    write_answers(tmp_path, "base", [True, False, True])
    write_answers(tmp_path, "sft", [True, False, True])
    write_answers(tmp_path, "edit.half", [True, False])
    edits = {"edit.half": {"operation": "scale 0.5", "parent": "sft", "control": "", "norm_of": ""}}
    with pytest.raises(InputError, match="answered different problems of easy"):
        effects(edits, ["easy"], tmp_path, 0.02)


def test_what_was_kept_is_in_the_record_of_the_adapter(tmp_path):
    draw = np.random.default_rng(3)
    factors = {name(layer, "q_proj"): random_factors(draw, 12, 3, 16) for layer in range(2)}
    parent = tmp_path / "sft"
    write_adapter(parent, factors, "float32")
    for run, edit in (("edit.half", Edit(of="sft", scale=0.5)), ("edit.one", Edit(of="sft", truncate=1))):
        derive(edit, {"sft": parent / "adapter_model.safetensors"}, {"sft": "sft.lr0.001.s1"}, tmp_path / run)
    deltas = {}
    for run in ("sft", "edit.half", "edit.one"):
        deltas[run] = tmp_path / f"{run}.safetensors"
        write_delta(load(tmp_path / run), deltas[run])
    edits = {run: {"operation": "", "parent": "sft", "control": "", "norm_of": ""} for run in ("edit.half", "edit.one")}
    records = {run: tmp_path / run / "edit.json" for run in edits}
    half, one = kept_of_parents(edits, deltas, records, None)
    assert half.norm_share == pytest.approx(0.5) and half.cosine_to_parent == pytest.approx(1.0) and half.left_out == 0
    whole = load(parent)
    assert one.left_out == pytest.approx(1 - one.norm**2 / whole.norm**2, rel=1e-5)
    assert one.cosine_to_parent == pytest.approx(one.norm / whole.norm, rel=1e-5)
    record = json.loads(records["edit.one"].read_text(encoding="utf-8"))
    assert record["operation"] == "truncate 1" and list(record["sources"]) == ["sft.lr0.001.s1"]
