"""PEFT folders: every form that plain LoRA takes is read alike, and everything else is refused with a reason."""

import hashlib

import numpy as np
import pytest
from geometry_tools import name, random_factors, write_adapter

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.updates.names import natural_order
from lossgeometry.updates.peft import Adapter


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
    "DoRA": ({"use_dora": True}, "use_dora"),
    "another method": ({"peft_type": "IA3"}, "type IA3"),
    "trained biases": ({"bias": "lora_only"}, r"\(bias\)"),
    "bias beside B": ({"lora_bias": True}, "lora_bias"),
    "replaced modules": ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    "expert parameters": ({"target_parameters": ["experts.gate"]}, "target_parameters"),
    "PiSSA": ({"init_lora_weights": "pissa_niter_16"}, "pissa_niter_16"),
    "LoftQ": ({"init_lora_weights": "loftq"}, "loftq"),
    "activated LoRA": ({"alora_invocation_tokens": [1, 2]}, "alora"),
    "no rank": ({"r": None}, "no positive r"),
    "another rank": ({"r": 5}, "says rank 5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_lora_is_refused(tmp_path, case):
    settings, reason = REFUSED[case]
    with pytest.raises(InputError, match=reason) as error:
        Adapter(write_adapter(tmp_path, factors(), **settings))
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


BROKEN = {
    "an embedding": ({"model.embed.lora_embedding_A": np.ones((2, 3))}, "no LoRA factor of a linear module"),
    "a magnitude": ({"model.q.lora_magnitude_vector.weight": np.ones(3)}, "no LoRA factor"),
    "a convolution": (
        {"c.lora_A.weight": np.ones((2, 3, 1, 1)), "c.lora_B.weight": np.ones((4, 2, 1, 1))},
        "no linear module",
    ),
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


def test_the_source_is_the_digest_of_the_weights(tmp_path):
    write_adapter(tmp_path, factors())
    expected = hashlib.sha256((tmp_path / "adapter_model.safetensors").read_bytes()).hexdigest()
    assert Adapter(tmp_path).source == expected
