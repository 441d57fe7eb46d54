"""An adapter that changes nothing, under which a base goes through the kernels that adapters go through."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE

MODULE = "o_proj"
"""A matrix of every layer of Llama, Qwen, Mistral, Gemma and Phi. vLLM wraps the others as well, whatever an adapter has."""


def write_zero(model: Path, folder: Path) -> Path:
    """Write a LoRA adapter of rank 1 whose B is zero for a model folder into `folder`, and return it.

    Raises
    ------
    InputError
        If the model has no such matrix.
    """
    shapes = TensorFolder(model).shapes
    names = [name.removesuffix(".weight") for name in shapes if name.endswith(f".{MODULE}.weight")]
    if not names:
        raise InputError(
            f"{model} has no {MODULE}, under which vLLM could serve it like its adapters; use transformers"
        )
    tensors = {}
    for name in names:
        outputs, inputs = shapes[f"{name}.weight"]
        tensors[f"base_model.model.{name}.lora_A.weight"] = np.ones((1, inputs), dtype=np.float32)
        tensors[f"base_model.model.{name}.lora_B.weight"] = np.zeros((outputs, 1), dtype=np.float32)
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [MODULE], "bias": "none"}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder
