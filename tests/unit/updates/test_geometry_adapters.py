"""PEFT folders: every form that plain LoRA takes is read alike, and everything else is refused with a reason."""

import hashlib
import json

import numpy as np
import pytest
from geometry_tools import name, random_factors, write_adapter

from lossgeometry.errors import InputError
from lossgeometry.files.damage import require_whole
from lossgeometry.files.safetensors import TensorFile, write_tensors
from lossgeometry.geometry.comparison import compare
from lossgeometry.updates.names import natural_order
from lossgeometry.updates.peft import Adapter
from lossgeometry.updates.reduction import write_delta
from lossgeometry.updates.stored import Delta


def factors(seed=0, r=4):
    rng = np.random.default_rng(seed)
    return {name(i, p): random_factors(rng, 12, r, 8) for i in range(2) for p in "qv"}


@pytest.mark.parametrize("suffix", ["", ".default", ".mine"])
@pytest.mark.parametrize("prefix", ["", "base_model.model."])
def test_key_forms(tmp_path, suffix, prefix):
    adapter = Adapter(write_adapter(tmp_path, factors(), suffix=suffix, prefix=prefix))
    assert adapter.modules == sorted(factors())
    b, a, scale = adapter.factors(name(1, "v"))
    np.testing.assert_array_equal(b, factors()[name(1, "v")][0])
    np.testing.assert_array_equal(a, factors()[name(1, "v")][1])
    assert scale == 2 and adapter.shape(name(1, "v")) == (12, 8)


@pytest.mark.parametrize(("dtype", "digits"), [("float32", 1e-7), ("float16", 1e-3), ("bfloat16", 1e-2)])
def test_storage_types_are_widened_without_loss(tmp_path, dtype, digits):
    b = Adapter(write_adapter(tmp_path, factors(), dtype=dtype)).factors(name(0, "q")).b
    assert b.dtype == np.float64
    np.testing.assert_allclose(b, factors()[name(0, "q")][0], rtol=digits)


def test_scales(tmp_path):
    q, v = name(0, "q"), name(1, "v")
    plain = Adapter(write_adapter(tmp_path / "plain", factors(), lora_alpha=6))
    root = Adapter(write_adapter(tmp_path / "root", factors(), lora_alpha=6, use_rslora=True))
    assert plain.factors(q).scale == 1.5 and root.factors(q).scale == 3.0
    mixed = {**factors(), v: random_factors(np.random.default_rng(1), 12, 2, 8)}
    pattern = Adapter(
        write_adapter(tmp_path / "pattern", mixed, rank_pattern={"1.*v_proj": 2}, alpha_pattern={"v_proj": 7})
    )
    assert pattern.factors(v).scale == 3.5 and pattern.factors(q).scale == 2
    assert pattern.factors(name(0, "v")).scale == 7 / 4


def test_a_pattern_matches_whole_name_parts_only(tmp_path):
    modules = {"model.q_proj": factors()[name(0, "q")], "model.extra_q_proj": factors()[name(0, "q")]}
    adapter = Adapter(write_adapter(tmp_path, modules, alpha_pattern={"q_proj": 4}))
    assert [adapter.factors(module).scale for module in sorted(modules)] == [2, 1]


def test_any_linear_module_in_natural_order(tmp_path):
    modules = ["model.layers.10.mlp.down_proj", "model.layers.9.mlp.gate_proj", "lm_head", "model.layers.9.fc1"]
    rng = np.random.default_rng(0)
    adapter = Adapter(write_adapter(tmp_path, {module: random_factors(rng, 6, 2, 5) for module in modules}))
    assert adapter.modules == ["lm_head", modules[3], modules[1], modules[0]]
    assert natural_order("a.9") < natural_order("a.10")


REFUSED = {
    "another method": ({"peft_type": "IA3"}, "type IA3"),
    "expert parameters": ({"target_parameters": ["experts.gate"]}, "target_parameters"),
    "PiSSA": ({"init_lora_weights": "pissa_niter_16"}, "pissa_niter_16"),
    "LoftQ": ({"init_lora_weights": "loftq"}, "loftq"),
    "activated LoRA": ({"alora_invocation_tokens": [1, 2]}, "alora"),
    "no rank": ({"r": None}, "no positive r"),
    "a truth value as rank": ({"r": True}, "no positive r"),
    "alpha that is no number": ({"lora_alpha": float("nan")}, "no positive lora_alpha"),
    "infinite alpha": ({"lora_alpha": float("inf")}, "no positive lora_alpha"),
    "alpha whose square overflows": ({"lora_alpha": 1e200}, "no positive lora_alpha"),
    "patterns that are a list": ({"rank_pattern": ["q_proj"]}, "rank_pattern does not map"),
    "a rank that is a word": ({"rank_pattern": {"q_proj": "4"}}, "rank_pattern does not map"),
    "an infinite pattern": ({"alpha_pattern": {"q_proj": float("inf")}}, "alpha_pattern does not map"),
    "an invalid pattern": ({"alpha_pattern": {"q_proj(": 4}}, "no regular expression"),
    "nested repetition": ({"alpha_pattern": {"(a+)+x": 4}}, "take for ever"),
    "repeated alternatives": ({"rank_pattern": {r"(\\w|model|\\.)*x": 4}}, "take for ever"),
    "repetition behind an escape": ({"rank_pattern": {r"(a\\)+)+x": 4}}, "take for ever"),
    "many repetitions": ({"rank_pattern": {".*" * 20 + "x": 4}}, "take for ever"),
    "many optional parts": ({"rank_pattern": {"m?" * 40 + "x": 4}}, "take for ever"),
    "many alternatives": ({"rank_pattern": {"(m|m)" * 40 + "x": 4}}, "take for ever"),
    "a long pattern": ({"rank_pattern": {"q" * 1000: 4}}, "take for ever"),
    "another rank": ({"r": 5}, "says rank 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_lora_is_refused(tmp_path, case):
    settings, reason = REFUSED[case]
    with pytest.raises(InputError, match=reason) as error:
        Adapter(write_adapter(tmp_path, factors(), **settings))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


BROKEN = {
    "half an embedding": ({"model.embed.lora_embedding_A": np.ones((2, 3))}, "only one factor of model.embed"),
    "a magnitude alone": ({"model.q.lora_magnitude_vector.weight": np.ones(3)}, "only one factor of model.q"),
    "a magnitude without a base": (
        {**{f"q.lora_{side}.weight": np.ones((2, 2)) for side in "AB"}, "q.lora_magnitude_vector": np.ones(2)},
        "without its base model .*use_dora.* name the folder of the base",
    ),
    "another factor": ({"model.q.lora_E.weight": np.ones((2, 3))}, "no LoRA factor of a weight matrix"),
    "a turned convolution": (
        {"c.lora_A.weight": np.ones((2, 3, 1, 1)), "c.lora_B.weight": np.ones((4, 2, 3, 3))},
        "only linear modules, embeddings and convolutions",
    ),
    "vectors": ({f"c.lora_{side}.weight": np.ones(2) for side in "AB"}, "only linear modules, embeddings"),
    "no outputs": ({"c.lora_A.weight": np.ones((2, 3)), "c.lora_B.weight": np.ones((0, 2))}, "only linear modules"),
    "one factor": ({"q.lora_A.weight": np.ones((2, 3))}, "only one factor of q"),
    "no factors": ({}, "holds no LoRA factors"),
    "factors that do not fit": ({"q.lora_A.weight": np.ones((2, 3)), "q.lora_B.weight": np.ones((4, 3))}, "shapes"),
    "two adapters": (
        {f"q.lora_{side}.{name}.weight": np.ones((2, 2)) for side in "AB" for name in ("default", "ref")},
        r"several adapters \(default, ref\)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_tensors_that_cannot_be_compared(tmp_path, case):
    tensors, reason = BROKEN[case]
    write_adapter(tmp_path, factors(r=2))
    write_tensors(tmp_path / "adapter_model.safetensors", tensors, {})
    with pytest.raises(InputError, match=reason):
        Adapter(tmp_path)


def test_a_diverged_adapter_is_refused(tmp_path):
    broken = factors()
    broken[name(0, "q")][0][3, 1] = np.nan
    with pytest.raises(InputError, match="not finite .*diverged"):
        Adapter(write_adapter(tmp_path, broken)).factors(name(0, "q"))


def test_missing_and_damaged_folders(tmp_path):
    with pytest.raises(InputError, match="adapter_config.json does not exist"):
        Adapter(tmp_path)
    write_adapter(tmp_path, factors())
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="adapter_model.safetensors is cut short"):
        Adapter(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="adapter_model.safetensors does not exist"):
        Adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(InputError, match="adapter_config.json is not JSON"):
        Adapter(tmp_path)


@pytest.mark.parametrize("content", ["[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"), "[]", "1", '"LORA"'])
def test_configurations_that_are_none(tmp_path, content):
    write_adapter(tmp_path, factors())
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "adapter_config.json").write_bytes(content)
    with pytest.raises(InputError, match="is not JSON|type None") as error:
        Adapter(tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def add_tensors(folder, extra):
    """Add tensors to a written adapter."""
    file = TensorFile(folder / "adapter_model.safetensors")
    write_tensors(file.path, {key: file.read(key) for key in file.shapes} | extra, {})


HEADS = {
    "a classifier": {
        "base_model.model.classifier.weight": np.ones((2, 8)),
        "base_model.model.classifier.bias": np.ones(2),
    },
    "a score": {"base_model.model.score.modules_to_save.weight": np.ones((2, 8))},
    "lm_head beside its LoRA": {"base_model.model.lm_head.base_layer.weight": np.ones((9, 8))},
    "an embedding": {"base_model.model.model.embed_tokens.weight": np.ones((9, 8))},
    "token rows": {"base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": np.ones((2, 8))},
}


@pytest.mark.parametrize("case", HEADS)
def test_what_is_trained_whole_is_listed_and_left_out(tmp_path, case):
    write_adapter(tmp_path, factors(), modules_to_save=["classifier"])
    add_tensors(tmp_path, HEADS[case])
    adapter = Adapter(tmp_path)
    assert adapter.modules == sorted(factors()) and adapter.skipped.keys() == HEADS[case].keys()
    write_delta(adapter, tmp_path / "delta.safetensors")
    assert json.loads(Delta(tmp_path / "delta.safetensors").metadata["skipped"]) == adapter.skipped


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module.base_model.model.", "base_model.model._orig_mod.", "_orig_mod.module."]
)
def test_wrappers_of_training_are_no_part_of_names(tmp_path, prefix):
    assert Adapter(write_adapter(tmp_path, factors(), prefix=prefix)).modules == sorted(factors())


def test_names_of_compiled_blocks(tmp_path):
    compiled = {module.replace(".self_attn", "._orig_mod.self_attn"): pair for module, pair in factors().items()}
    assert Adapter(write_adapter(tmp_path, compiled)).modules == sorted(factors())


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model.", "transformer.", ""])
def test_names_that_differ_in_wrappers_alone_are_compared(tmp_path, prefix):
    one = {module: pair for module, pair in factors().items()}
    other = {module.replace("model.", prefix, 1): pair for module, pair in factors().items()}
    a, b = (Adapter(write_adapter(tmp_path / part, held)) for part, held in (("a", one), ("b", other)))
    rows = compare(a, b, 2).rows
    assert all(row.value == pytest.approx(1, abs=1e-12) for row in rows if row.metric == "cosine")
    assert {row.module for row in rows if row.scope == "module"} == set(one)


def test_towers_are_not_taken_for_each_other(tmp_path):
    text = {f"text_model.{module}": pair for module, pair in factors().items()}
    vision = {f"vision_model.{module}": pair for module, pair in factors().items()}
    a, b = (Adapter(write_adapter(tmp_path / part, held)) for part, held in (("a", text), ("b", vision)))
    with pytest.raises(InputError, match="no module of equal shape in common"):
        compare(a, b, 2)


def test_ranks_that_differ_by_module(tmp_path):
    rng = np.random.default_rng(0)
    ranks = dict(zip(factors(), (2, 4, 8, 16), strict=True))
    held = {module: random_factors(rng, 24, rank, 20) for module, rank in ranks.items()}
    adapter = Adapter(write_adapter(tmp_path, held))
    assert {module: adapter.adapter_rank(module) for module in adapter.modules} == ranks
    assert {module: adapter.rank(module) for module in adapter.modules} == ranks


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    write_adapter(tmp_path, factors())
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 94\n"
    (tmp_path / "adapter_model.safetensors").write_text(pointer)
    for read in (Adapter, lambda folder: require_whole([folder / "adapter_model.safetensors"])):
        with pytest.raises(InputError, match="is a Git LFS pointer .*run `git lfs pull`"):
            read(tmp_path)


def test_the_source_is_the_digest_of_the_weights(tmp_path):
    write_adapter(tmp_path, factors())
    expected = hashlib.sha256((tmp_path / "adapter_model.safetensors").read_bytes()).hexdigest()
    assert Adapter(tmp_path).source == expected
