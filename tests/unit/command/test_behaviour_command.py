"""Behaviour of anyone's adapters: what the workflow measures, from a base, adapters and prompts alone."""

import numpy as np
import pandas as pd
import pytest
from model_folders import problem_rows, save_model
from small_models import save_adapter

from lossgeometry import behaviour_of
from lossgeometry.command.main import main
from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import write_atomic

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    save_model(folder / "base")
    save_adapter(folder / "small", 1, size=0.02)
    save_adapter(folder / "large", 1, size=0.2)
    write_atomic(folder / "prompts.jsonl", [{"problem": row["problem"]} for row in problem_rows(6)])
    (folder / "prompts.txt").write_text("".join(f"{row['problem']}\n\n" for row in problem_rows(6)), encoding="utf-8")
    return folder


def measured(folder, prompts="prompts.jsonl", **options):
    adapters = {name: folder / name for name in ("small", "large")}
    return behaviour_of(folder / "base", adapters, folder / prompts, max_new_tokens=12, **options)


def test_the_floor_is_zero_and_the_larger_update_moves_more(given):
    table = measured(given)
    whole = table[table.part == "all"].set_index(["run", "text", "measure"]).value
    assert abs(whole["base", "base", "kl_base_run"]) < 1e-9
    for text, measure in (("base", "kl_base_run"), ("own", "kl_run_base")):
        assert 0 < whole["small", text, measure] < whole["large", text, measure]
    assert not set(table.part) & {"right answers", "wrong answers"} and set(table.problems) == {6}
    pd.testing.assert_frame_equal(table, measured(given, "prompts.txt"))


def test_the_command_prints_the_same_numbers(given, capsys):
    options = ["--base", given / "base", "--prompts", given / "prompts.jsonl", "--max-new-tokens", 12]
    arguments = ["behaviour", given / "small", given / "large", *options, "--out", given / "moved.csv"]
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr().out
    table = measured(given)
    value = table[(table.run == "large") & (table.text == "base") & (table.measure == "kl_base_run")].value.iloc[0]
    assert f"| large | {value:.3g} (" in printed
    assert np.allclose(pd.read_csv(given / "moved.csv").value, table.value, rtol=1e-8, equal_nan=True)


def test_what_cannot_be_measured_is_one_sentence(given, tmp_path, capsys):
    (tmp_path / "prompts.jsonl").write_text('{"question": "?"}\n', encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    for base, adapter, prompts, sentence in (
        (given / "small", given / "small", given / "prompts.txt", "not the folder of a Hugging Face model"),
        (given / "base", given / "base", given / "prompts.txt", "not the folder of a PEFT adapter"),
        (given / "base", given / "small", tmp_path / "none.txt", "is not a file"),
        (given / "base", given / "small", tmp_path / "empty.txt", "holds no prompt"),
        (given / "base", given / "small", tmp_path / "prompts.jsonl", "without the key problem"),
    ):
        with pytest.raises(InputError, match=sentence):
            behaviour_of(base, {"one": adapter}, prompts)
    code = main(["behaviour", str(given / "small"), "--base", "nowhere", "--prompts", str(given / "prompts.txt")])
    assert code == 1 and capsys.readouterr().err.count("\n") == 1
