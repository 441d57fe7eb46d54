"""Made-up GGUF files of a few kilobytes."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

NOTHING, START, END = "<|nothing|>", "<|start|>", "<|stop|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\n' + message['content'] + '<|stop|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)
NORMAL, CONTROL = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def small_llama() -> LlamaForCausalLM:
    """Return a random model of two layers whose tokens are bytes, but for two."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=3 + 256 + 2,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


def as_stored(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """Return the weights under GGUF's names, with queries and keys in its order of rotated pairs."""
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    stored = {}
    for name, weight in model.state_dict().items():
        array = weight.numpy()
        if name.startswith("model.layers."):
            number, module = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            if heads_of := heads.get(NAMES[module]):
                halves = array.reshape(heads_of, 2, array.shape[0] // heads_of // 2, array.shape[1])
                array = halves.swapaxes(1, 2).reshape(array.shape)
            stored[f"blk.{number}.{NAMES[module]}.weight"] = array
    stored["token_embd.weight"] = model.get_input_embeddings().weight.detach().numpy()
    stored["output_norm.weight"] = model.model.norm.weight.detach().numpy()
    return stored


def write_gguf(
    file: Path,
    weights: Mapping[str, np.ndarray],
    architecture: str = "llama",
    template: str | None = TEMPLATE,
    quantisation: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
) -> Path:
    """Write a GGUF file; matrices are quantised, vectors are not."""
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    tokens = [NOTHING, START, END, *bytes_to_unicode().values(), "ab", "bc"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL] * 3 + [NORMAL] * 258)
    writer.add_token_merges(["a b", "b c"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    if template:
        writer.add_chat_template(template)
    for name, weight in weights.items():
        kind = quantisation if weight.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
