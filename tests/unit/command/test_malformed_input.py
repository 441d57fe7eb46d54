"""Files from strangers: every defect ends in one sentence and a non-zero exit, and nothing in them is run."""

import json
import os
import pickle
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
from geometry_tools import name, random_factors, write_adapter

from lossgeometry.command.main import main
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.provenance import SCRIPTS

pytestmark = pytest.mark.slow


def held(seed=0):
    rng = np.random.default_rng(seed)
    return {name(i, p): random_factors(rng, 12, 4, 8) for i in range(2) for p in "qv"}


def fails(capsys, sentence, *arguments):
    """Run the command, and check that it says one sentence and nothing else."""
    code = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    assert code == 1 and output.err.startswith("error: ") and output.err.count("\n") == 1, output.err[-2000:]
    assert sentence in output.err and len(output.err) < 700, output.err


CONFIGURATIONS = {
    "alpha NaN": ({"lora_alpha": float("nan")}, "no positive lora_alpha"),
    "alpha infinite": ({"lora_alpha": float("inf")}, "no positive lora_alpha"),
    "alpha a word": ({"lora_alpha": "16"}, "no positive lora_alpha"),
    "rank a fraction": ({"r": 4.5}, "no positive r"),
    "patterns a list": ({"alpha_pattern": [1]}, "does not map patterns"),
    "pattern values words": ({"rank_pattern": {"q_proj": "four"}}, "does not map patterns"),
    "pattern values NaN": ({"alpha_pattern": {"q_proj": float("nan")}}, "does not map patterns"),
    "no regular expression": ({"rank_pattern": {"(": 4}}, "no regular expression"),
    "nested repetition": ({"rank_pattern": {"(a*)*$": 4}}, "for ever"),
    "a row of repetitions": ({"rank_pattern": {".*" * 30 + "!": 4}}, "for ever"),
    "a row of options": ({"rank_pattern": {"m?" * 60 + "m" * 60: 4}}, "for ever"),
    "a row of alternatives": ({"rank_pattern": {"(m|m)" * 60 + "!": 4}}, "for ever"),
    "a type that is a list": ({"peft_type": ["LORA"]}, "only LORA"),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configurations(tmp_path, capsys, case):
    settings, sentence = CONFIGURATIONS[case]
    write_adapter(tmp_path / "bad", held(), **settings)
    fails(capsys, sentence, "show", tmp_path / "bad")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "{", "null", "\x00", '"' + "x" * 100_000])
def test_configurations_that_are_none(tmp_path, capsys, text):
    write_adapter(tmp_path / "bad", held())
    (tmp_path / "bad/adapter_config.json").write_text(text)
    fails(capsys, "adapter", "show", tmp_path / "bad")


def entry(shape=(2, 2), offsets=(0, 16), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


A, B = "q.lora_A.weight", "q.lora_B.weight"
HEADERS = {
    "a fractional shape": {A: entry(shape=[2.0, 2])},
    "a negative shape": {A: entry(shape=[-2, -2])},
    "a huge shape": {A: entry(shape=[2**40, 2**40])},
    "a truth value as shape": {A: entry(shape=[True, 4])},
    "a list as type": {A: entry(dtype=["F32"])},
    "an unknown type": {A: entry(dtype="F31"), B: entry(offsets=[16, 32])},
    "whole numbers": {A: entry(dtype="I32"), B: entry(offsets=[16, 32])},
    "overlapping tensors": {A: entry(offsets=[0, 16]), B: entry(offsets=[8, 24])},
    "a gap": {A: entry(offsets=[0, 16]), B: entry(offsets=[24, 40])},
    "turned offsets": {A: entry(offsets=[16, 0])},
    "offsets beyond the end": {A: entry(offsets=[0, 1 << 60])},
    "three offsets": {A: entry(offsets=[0, 8, 16])},
    "no offsets": {A: {"dtype": "F32", "shape": [2, 2]}},
    "an entry that is a list": {A: [1, 2]},
    "metadata of numbers": {"__metadata__": {"a": 1}, A: entry()},
    "no dimensions": {A: entry(shape=[], offsets=[0, 4]), B: entry(shape=[], offsets=[4, 8])},
    "nothing at all": {},
}


def write_header(path, text, data=b"\0" * 40):
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("case", HEADERS)
def test_headers(tmp_path, capsys, case):
    write_adapter(tmp_path / "bad", held(), r=2)
    ends = [
        one["data_offsets"][-1] for one in HEADERS[case].values() if isinstance(one, dict) and "data_offsets" in one
    ]
    size = max([end for end in ends if end < 1000], default=0)
    text = json.dumps(HEADERS[case]).encode()
    write_header(tmp_path / "bad/adapter_model.safetensors", text, b"\0" * size)
    fails(capsys, "bad", "show", tmp_path / "bad")


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"[]", b"\xff\xfe", b'{"a":{"dtype":NaN}}'])
def test_headers_that_are_none(tmp_path, capsys, text):
    write_adapter(tmp_path / "bad", held())
    write_header(tmp_path / "bad/adapter_model.safetensors", text)
    fails(capsys, "adapter_model.safetensors", "show", tmp_path / "bad")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 64, b"version https://git-lfs.github.com/spec/v1\noid"])
def test_files_that_are_none(tmp_path, capsys, content):
    write_adapter(tmp_path / "bad", held())
    (tmp_path / "bad/adapter_model.safetensors").write_bytes(content)
    fails(capsys, "adapter_model.safetensors", "show", tmp_path / "bad")


INDICES = {
    "no JSON": ("{", "is not an index of shards"),
    "deep": ("[" * 100_000, "is not an index of shards"),
    "a list": ("[]", "is not an index of shards"),
    "an empty map": ('{"weight_map": {}}', "is not an index of shards"),
    "numbers": ('{"weight_map": {"a": 1}}', "is not an index of shards"),
    "out of the folder": ('{"weight_map": {"a": "../secret.safetensors"}}', "no safetensors file of its folder"),
    "an absolute path": ('{"weight_map": {"a": "/etc/passwd"}}', "no safetensors file of its folder"),
    "a pickle": ('{"weight_map": {"a": "pytorch_model.bin"}}', "no safetensors file of its folder"),
    "a shard that is missing": ('{"weight_map": {"a": "m-1.safetensors"}}', "does not exist"),
}


@pytest.mark.parametrize("case", INDICES)
def test_indices_of_shards(tmp_path, capsys, case):
    text, sentence = INDICES[case]
    write_tensors(tmp_path / "base/model.safetensors", {"model.layers.0.q.weight": np.ones((2, 2))}, {})
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned/model.safetensors.index.json").write_text(text)
    fails(capsys, sentence, "show", tmp_path / "tuned", "--base", tmp_path / "base")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tmp_path, capsys, value):
    broken = held()
    broken[name(1, "v")][1][2, 3] = value
    write_adapter(tmp_path / "bad", broken)
    write_adapter(tmp_path / "good", held())
    fails(capsys, "not finite", "show", tmp_path / "bad")
    fails(capsys, "not finite", "compare", tmp_path / "bad", tmp_path / "good", "--out", tmp_path / "out")


def test_weights_whose_squares_overflow(tmp_path, capsys):
    broken = held()
    broken[name(1, "v")][1][2, 3] = 1e300
    write_adapter(tmp_path / "bad", broken)
    fails(capsys, "not finite", "show", tmp_path / "bad")


def test_names_from_files_do_nothing_to_a_terminal(tmp_path, capsys):
    hostile = {f"{module}\x1b[31m\u202e": factors for module, factors in held().items()}
    hostile |= {name(9, "q"): (np.zeros((12, 4)), np.ones((4, 8)))}
    write_adapter(tmp_path / "bad", hostile, base_model_name_or_path="x/\x1b]0;title\x07")
    assert main(["show", str(tmp_path / "bad")]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\u202e" not in printed and r"\x1b" in printed


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("opened",)


@pytest.mark.parametrize("file", ["adapter_model.bin", "adapter_model.safetensors"])
def test_pickles_are_never_opened(tmp_path, capsys, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    write_adapter(tmp_path / "bad", held())
    (tmp_path / "bad/adapter_model.safetensors").unlink()
    (tmp_path / "bad" / file).write_bytes(pickle.dumps(Harmful()))
    fails(capsys, "pickle" if file.endswith("bin") else "safetensors", "show", tmp_path / "bad")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("compare", "one", "two", "--out", "out", "--k", "0"), "0 directions cannot be compared"),
        (("compare", "one", "two", "--out", "out", "--k", "-3"), "-3 directions cannot be compared"),
        (("compare", "one", "two", "--out", "one/adapter_config.json"), "is a file; name a folder as --out"),
        (("compare", "one", "two", "--out", "one/adapter_config.json/x"), "Not a directory"),
        (("compare", "one", "--out", "out"), "one alone has nothing to be compared with"),
        (("compare", "one", "one", "--out", "out"), "two adapters are called one"),
        (("compare", "one", "tow", "--out", "out"), "tow is neither an existing folder nor a hub id"),
        (("compare", "one", "./two/adapter_modle", "--out", "out"), "neither an existing folder nor a hub id"),
        (("compare", "one", "two/adapter_confg.json", "--out", "out"), "did you mean two/adapter_config.json"),
        (("compare", "one", "two", "--out", "out", "--base", "nowhere"), "nowhere is not a folder"),
        (("show", "whole"), "name the folder of the model that it was tuned from as base"),
        (("show", "whole", "--base", "whole", "--rank", "0"), "rank 0 keeps nothing"),
        (("show", "empty"), "holds neither adapter_config.json nor model.safetensors"),
        (("path", "one/adapter_config.json"), "is not a folder"),
        (("path", "one", "--out", "empty"), "holds 0 folders"),
    ],
)
def test_what_is_asked_for(tmp_path, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    write_adapter(tmp_path / "one", held(0)), write_adapter(tmp_path / "two", held(1))
    write_tensors(tmp_path / "whole/model.safetensors", {"model.layers.0.q.weight": np.ones((2, 2))}, {})
    (tmp_path / "empty").mkdir()
    fails(capsys, sentence, *arguments)


def test_a_hub_without_an_answer_is_one_sentence(tmp_path, monkeypatch):
    """Port 9 of this machine takes no connections; the hub's library asks six times, here without a pause."""
    code = "import sys, time; time.sleep = id; from lossgeometry.command.main import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    asked = {
        source: subprocess.Popen(
            [sys.executable, "-c", code, "show", source],
            cwd=SCRIPTS, env=environment, stderr=subprocess.PIPE, text=True,
        )
        for source in ("owner/name@v1", "owner/na--me")
    }  # fmt: skip
    for source, command in asked.items():
        said = command.communicate()[1]
        assert command.returncode == 1, said
        last = said.strip().splitlines()[-1]
        assert f"the hub gave no adapter_config.json for {source}" in last and "Traceback" not in said


def test_a_disk_that_is_full_is_one_sentence(tmp_path):
    """No file may grow beyond 20 kB here, which is how a quota, and a full disk, look to a writer."""
    write_adapter(tmp_path / "one", held(0)), write_adapter(tmp_path / "two", held(1))
    command = ["compare", str(tmp_path / "one"), str(tmp_path / "two"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "lossgeometry.command.main", *command], cwd=SCRIPTS, capture_output=True, text=True,
        check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith("error: Cannot write "), done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "out").rglob("*.partial"))
