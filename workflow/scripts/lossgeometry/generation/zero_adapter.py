"""An adapter that changes nothing, under which a base goes through the kernels that adapters go through."""

from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.updates.peft_writer import write_peft
from lossgeometry.updates.update import Update

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
    sizes = {name: shapes[f"{name}.weight"] for name in names}
    zero = {name: (np.zeros((outputs, 1)), np.ones((1, inputs))) for name, (outputs, inputs) in sizes.items()}
    return write_peft(Update.from_factors(zero), folder)
