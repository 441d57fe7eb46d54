"""The subcommand `edit`: the algebra of updates by name, written as an adapter with its provenance."""

import json

import numpy as np
import pytest
from geometry_tools import name, random_factors, write_adapter

from lossgeometry.command.main import main
from lossgeometry.updates.loading import load


@pytest.fixture
def two(tmp_path):
    for seed, run in enumerate(("sft", "grpo")):
        rng = np.random.default_rng(seed)
        held = {name(layer, "q"): random_factors(rng, 20, 3, 16) for layer in range(2)}
        write_adapter(tmp_path / "runs" / run / "adapter", held)
    return tmp_path


def said(capsys, *arguments):
    code = main(["edit", *map(str, arguments)])
    output = capsys.readouterr()
    return code, output.out, output.err


def source(folder, run):
    return folder / "runs" / run / "adapter"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--scale", "-0.5"], lambda one, other: -0.5 * one),
        (["--reject", "OTHER"], lambda one, other: one.reject(other)),
        (["--add", "OTHER"], lambda one, other: one + other),
        (["--to-norm-of", "OTHER"], lambda one, other: (other.norm / one.norm) * one),
        (["--layers", "0", "--rest", "OTHER"], lambda one, other: one.select(layers=[0]) + other.select(layers=[1])),
    ],
)
def test_it_writes_what_the_algebra_gives(two, capsys, arguments, expected):
    one, other = source(two, "grpo"), source(two, "sft")
    arguments = [str(other) if argument == "OTHER" else argument for argument in arguments]
    code, out, _ = said(capsys, one, *arguments, "--out", two / "made")
    made, wanted = load(two / "made"), expected(load(one), load(other))
    assert code == 0 and made.cosine(wanted) == pytest.approx(1, abs=1e-6)
    assert made.norm == pytest.approx(wanted.norm, rel=1e-6) and f"norm {made.norm:.4g}"[:8] in out
    record = json.loads((two / "made/edit.json").read_text())
    assert str(two) not in json.dumps(record) and set(record["sources"]) <= {"grpo", "sft", "adapter"}


def test_what_cannot_be_done_is_one_sentence(two, capsys):
    one = source(two, "grpo")
    for arguments, sentence in (
        ([], "it has none"),
        (["--scale", "2", "--truncate", "1"], "it has scale, truncate"),
        (["--scale", "2", "--rest", source(two, "sft")], "rest: "),
        (["--layers", "7"], "no such layers"),
        (["--reject", two / "nothing"], "nothing"),
    ):
        code, _, err = said(capsys, one, *arguments, "--out", two / "made")
        assert code == 1 and err.startswith("error: ") and err.count("\n") == 1 and sentence in err, err
        assert not (two / "made").exists()
    (two / "made").mkdir()
    assert "name a new folder" in said(capsys, one, "--scale", "2", "--out", two / "made")[2]
