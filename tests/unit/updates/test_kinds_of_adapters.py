"""Forty-one kinds of adapters that people have, made by PEFT itself: what is read is what PEFT adds to the weights."""

import json

import numpy as np
import pytest

from lossgeometry.errors import InputError
from lossgeometry.geometry.comparison import compare
from lossgeometry.updates.loading import load

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

LLAMA = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 32, "vocab_size": 50, "max_position_embeddings": 16, "pad_token_id": 0,
}  # fmt: skip
BERT = {key: value for key, value in LLAMA.items() if key not in ("num_key_value_heads", "head_dim")}
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 50, "n_positions": 16, "pad_token_id": 0}
BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 1, "forced_eos_token_id": 2,
}  # fmt: skip
CLIP = {part: {**BERT, "projection_dim": 8} for part in ("text_config", "vision_config")}
CLIP["vision_config"] |= {"image_size": 8, "patch_size": 4}
CLIP["text_config"] |= {"bos_token_id": 1, "eos_token_id": 2}
WAV2VEC2 = {
    **BERT, "conv_dim": (8, 8), "conv_kernel": (3, 3), "conv_stride": (2, 2), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
CAUSAL, HEAD, TOKENS, ENCODER = "ForCausalLM", "ForSequenceClassification", "ForTokenClassification", ""
TEXT2TEXT, SPEECH, IMAGE = "ForSeq2SeqLM", "ForSpeechSeq2Seq", "ForImageClassification"
ALL = "all-linear"
QV = ["q_proj", "v_proj"]

KINDS = {
    "Llama, q and v": (CAUSAL, "llama", LLAMA, {"target_modules": QV}),
    "Llama, all linear": (CAUSAL, "llama", LLAMA, {"target_modules": ALL}),
    "Llama, rank-stabilised": (CAUSAL, "llama", LLAMA, {"target_modules": QV, "use_rslora": True}),
    "Llama, output layer": (CAUSAL, "llama", LLAMA, {"target_modules": [*QV, "lm_head"]}),
    "Llama, embedding": (CAUSAL, "llama", LLAMA, {"target_modules": [*QV, "embed_tokens"]}),
    "Llama, embeddings trained whole": (
        CAUSAL, "llama", LLAMA, {"target_modules": QV, "modules_to_save": ["embed_tokens", "lm_head"]}
    ),
    "Llama, new tokens": (CAUSAL, "llama", LLAMA, {"target_modules": QV, "trainable_token_indices": [3, 4]}),
    "Llama, score": (HEAD, "llama", LLAMA, {"target_modules": QV, "task_type": "SEQ_CLS"}),
    "Llama, patterns": (
        CAUSAL, "llama", LLAMA,
        {"target_modules": QV, "rank_pattern": {"v_proj": 2}, "alpha_pattern": {r"layers\.1\..*q_proj": 3}},
    ),
    "Llama, biases": (CAUSAL, "llama", {**LLAMA, "attention_bias": True}, {"target_modules": QV, "bias": "all"}),
    "Llama, bias beside B": (
        CAUSAL, "llama", {**LLAMA, "attention_bias": True}, {"target_modules": QV, "lora_bias": True}
    ),
    "Mistral": (CAUSAL, "mistral", LLAMA, {"target_modules": ALL}),
    "Gemma": (CAUSAL, "gemma", LLAMA, {"target_modules": ALL}),
    "Gemma 2": (CAUSAL, "gemma2", LLAMA, {"target_modules": QV}),
    "Qwen 2": (CAUSAL, "qwen2", LLAMA, {"target_modules": ALL}),
    "Qwen 3": (CAUSAL, "qwen3", LLAMA, {"target_modules": QV}),
    "Phi": (CAUSAL, "phi", LLAMA, {"target_modules": ["q_proj", "dense", "fc1"]}),
    "Phi 3": (CAUSAL, "phi3", LLAMA, {"target_modules": ["qkv_proj", "o_proj"]}),
    "Falcon": (CAUSAL, "falcon", BERT, {"target_modules": ["query_key_value"]}),
    "GPT-2": (CAUSAL, "gpt2", GPT2, {"target_modules": ["c_attn"], "fan_in_fan_out": True}),
    "DialoGPT": (CAUSAL, "gpt2", GPT2, {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}),
    "GPT-Neo": (
        CAUSAL, "gpt_neo",
        {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]},
        {"target_modules": QV},
    ),
    "Pythia": (CAUSAL, "gpt_neox", BERT, {"target_modules": ["query_key_value"]}),
    "GPT-J": (CAUSAL, "gptj", {**GPT2, "rotary_dim": 4}, {"target_modules": QV}),
    "OPT": (CAUSAL, "opt", {**BERT, "ffn_dim": 32, "word_embed_proj_dim": 16}, {"target_modules": QV}),
    "BLOOM": (CAUSAL, "bloom", {"hidden_size": 16, "n_layer": 2, "n_head": 2}, {"target_modules": ["query_key_value"]}),
    "T5": (
        TEXT2TEXT, "t5",
        {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 50},
        {"target_modules": ["q", "v"]},
    ),
    "BART": (TEXT2TEXT, "bart", BART, {"target_modules": QV}),
    "Whisper": (SPEECH, "whisper", {**BART, "num_mel_bins": 8}, {"target_modules": QV}),
    "wav2vec 2": (ENCODER, "wav2vec2", WAV2VEC2, {"target_modules": QV}),
    "BERT, classifier": (HEAD, "bert", BERT, {"target_modules": ["query", "value"], "task_type": "SEQ_CLS"}),
    "RoBERTa, classifier": (HEAD, "roberta", BERT, {"target_modules": ["query", "value"], "task_type": "SEQ_CLS"}),
    "DistilBERT, classifier": (
        HEAD, "distilbert", {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2, "vocab_size": 50},
        {"target_modules": ["q_lin", "v_lin"], "task_type": "SEQ_CLS"},
    ),
    "DeBERTa, tagger": (
        TOKENS, "deberta-v2", BERT, {"target_modules": ["query_proj", "value_proj"], "task_type": "TOKEN_CLS"}
    ),
    "ViT, classifier": (
        IMAGE, "vit", {**BERT, "image_size": 8, "patch_size": 4},
        {"target_modules": QV, "modules_to_save": ["classifier"]},
    ),
    "CLIP, two towers": (ENCODER, "clip", CLIP, {"target_modules": QV}),
    "UNet, attention": (None, "unet", {}, {"target_modules": ["to_q", "to_out.0"]}),
    "UNet, convolutions": (None, "unet", {}, {"target_modules": ["to_q", "conv1", "conv_shortcut"]}),
}  # fmt: skip


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q, self.to_out = torch.nn.Linear(8, 8), torch.nn.ModuleList([torch.nn.Linear(8, 8)])


class UNet(torch.nn.Module):
    """Modules with the names and kinds of a diffusion model's blocks."""

    def __init__(self):
        super().__init__()
        for part in ("down_blocks", "up_blocks"):
            blocks = torch.nn.ModuleList(torch.nn.Module() for _ in range(2))
            for block in blocks:
                block.attentions = torch.nn.ModuleList([Attention()])
                block.conv1 = torch.nn.Conv2d(4, 6, 3)
                block.conv_shortcut = torch.nn.Conv2d(4, 6, 1)
            setattr(self, part, blocks)


def make_base(auto, kind, sizes):
    torch.manual_seed(0)
    if auto is None:
        return UNet()
    config = transformers.AutoConfig.for_model(kind, **sizes)
    return getattr(transformers, f"AutoModel{auto}").from_config(config)


def make_adapter(base, settings, folder):
    """Return a PEFT model with every trainable parameter moved, saved below a folder."""
    model = peft.get_peft_model(base, peft.LoraConfig(**{"r": 4, "lora_alpha": 8, **settings}))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.normal_()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_what_is_read_is_what_peft_adds(tmp_path, kind):
    auto, name, sizes, settings = KINDS[kind]
    model = make_adapter(make_base(auto, name, sizes), settings, tmp_path / "adapter")
    update = load(tmp_path / "adapter")
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if isinstance(layer, peft.tuners.lora.LoraLayer) and layer.r
    }
    assert layers and set(update.modules) == set(layers)
    for module, layer in layers.items():
        expected = layer.get_delta_weight("default").detach().double().numpy()
        expected = expected.reshape(len(expected), -1)
        b, a, scale = update.factors(module)
        found = scale * b @ a
        assert found.shape == update.shape(module)
        np.testing.assert_allclose(found.T if module in update.transposed else found, expected, rtol=1e-4, atol=1e-4)
    if {"task_type", "modules_to_save"} & set(settings):
        assert update.skipped
    same = compare(update, load(tmp_path / "adapter"), 2)
    assert all(row.value == pytest.approx(1, abs=1e-9) for row in same.rows if row.metric == "cosine")


def test_of_forty_one_kinds_thirty_eight_are_read_and_the_others_named(tmp_path):
    assert len(KINDS) == 38
    refused = {
        "IA3": (peft.IA3Config(target_modules=["k_proj"], feedforward_modules=[]), "type IA3"),
        "prompts": (peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2), "type PROMPT_TUNING"),
    }
    for kind, (config, reason) in refused.items():
        peft.get_peft_model(make_base(CAUSAL, "llama", LLAMA), config).save_pretrained(tmp_path / kind)
        with pytest.raises(InputError, match=reason):
            load(tmp_path / kind)
    make_adapter(make_base(*KINDS["Qwen 3"][:3]), {"target_modules": QV}, tmp_path / "bare")
    (tmp_path / "bare/adapter_config.json").unlink()
    with pytest.raises(InputError, match="adapter_config.json does not exist"):
        load(tmp_path / "bare")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "sizes", "targets", "turned"), [("llama", LLAMA, QV, False), ("gpt2", GPT2, ["c_attn", "c_fc"], True)]
)
def test_dora_is_the_difference_of_the_merged_weights(tmp_path, name, sizes, targets, turned):
    base = make_base(CAUSAL, name, sizes)
    base.save_pretrained(tmp_path / "base")
    before = {key: value.detach().clone().double().numpy() for key, value in base.named_parameters()}
    settings = {"target_modules": targets, "use_dora": True, "fan_in_fan_out": turned}
    model = make_adapter(base, settings, tmp_path / "adapter")
    with pytest.raises(InputError, match=r"without its base model \(use_dora\).*name the folder of the base"):
        load(tmp_path / "adapter")
    update = load(tmp_path / "adapter", tmp_path / "base")
    merged = dict(model.merge_and_unload().named_parameters())
    assert len(update.modules) == 4 and update.transposed == (set(update.modules) if turned else set())
    for module in update.modules:
        expected = merged[f"{module}.weight"].detach().double().numpy() - before[f"{module}.weight"]
        b, a, scale = update.factors(module)
        np.testing.assert_allclose(scale * b @ a, expected.T if turned else expected, atol=2e-4)
        assert update.left_out[module] == pytest.approx(0, abs=1e-12)
    cut = load(tmp_path / "adapter", tmp_path / "base", rank=2)
    s = update.svd(update.modules[0]).s
    assert cut.left_out[cut.modules[0]] == pytest.approx(np.sum(s[2:] ** 2) / np.sum(s**2))


@pytest.mark.filterwarnings("ignore")
def test_layers_that_were_trained_whole_are_compared_beside_the_base(tmp_path):
    base = make_base(CAUSAL, "llama", LLAMA)
    base.save_pretrained(tmp_path / "base")
    before = {key: value.detach().clone().double().numpy() for key, value in base.named_parameters()}
    settings = {"target_modules": ["q_proj"], "modules_to_save": ["v_proj", "lm_head"]}
    model = make_adapter(base, settings, tmp_path / "adapter")
    alone = load(tmp_path / "adapter")
    assert {module.rpartition(".")[2] for module in alone.modules} == {"q_proj"} and len(alone.skipped) == 3
    update = load(tmp_path / "adapter", tmp_path / "base")
    assert {module.rpartition(".")[2] for module in update.modules} == {"q_proj", "v_proj"}
    assert list(update.skipped) == ["base_model.model.lm_head.weight"]  # outside the numbered layers
    module = "model.layers.1.self_attn.v_proj"
    trained = model.base_model.model.model.layers[1].self_attn.v_proj.modules_to_save["default"].weight
    b, a, scale = update.factors(module)
    np.testing.assert_allclose(scale * b @ a, trained.detach().double().numpy() - before[f"{module}.weight"], atol=1e-9)


def test_the_other_model_is_named(tmp_path):
    for part, base in (("a", "owner/one"), ("b", "/data/Other/"), ("c", "elsewhere/ONE")):
        make_adapter(make_base(*KINDS["Qwen 3"][:3]), {"target_modules": QV}, tmp_path / part)
        path = tmp_path / part / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": base}))
    a, b, c = (load(tmp_path / part) for part in "abc")
    assert "other bases, one and Other" in compare(a, b, 2).rows[0].note
    assert not compare(a, c, 2).rows[0].note
