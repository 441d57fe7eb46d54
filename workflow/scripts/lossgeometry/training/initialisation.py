"""The one LoRA initialisation that every method of a seed starts from."""

import json
import math
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file
from lossgeometry.settings.training import Lora


def initialise(student: Path, lora: Lora, seed: int, output: Path) -> None:
    """Draw A uniformly in +-1/sqrt(inputs), as PEFT does (Kaiming, a = sqrt 5), set B to zero, and write the adapter.

    Trainers consume random numbers differently, so an initialisation drawn inside each of them would differ between
    methods. The modules' shapes come from the model's configuration; its weights are not read.

    Raises
    ------
    InputError
        If the student has no linear module of a target's name.
    """
    with torch.device("meta"):
        base = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(student))
    linear = {name: module for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    missing = set(lora.target_modules) - {name.rpartition(".")[2] for name in linear}
    if missing:
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise InputError(f"lora.target_modules: the student has no {', '.join(sorted(missing))}; choose among {known}")
    generator = torch.Generator().manual_seed(seed)
    factors = {}
    for name, module in linear.items():
        if name.rpartition(".")[2] in lora.target_modules:
            uniform = torch.rand(lora.rank, module.in_features, generator=generator)
            prefix = f"base_model.model.{name}"
            factors[f"{prefix}.lora_A.weight"] = (2 * uniform - 1) / math.sqrt(module.in_features)
            factors[f"{prefix}.lora_B.weight"] = torch.zeros(module.out_features, lora.rank)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        task_type="CAUSAL_LM",
    )
    with atomic_file(output / "adapter_model.safetensors") as path:
        save_file(factors, path, metadata={"format": "pt"})
    write_adapter_config(config, output / "adapter_config.json")


def write_adapter_config(config: LoraConfig, path: Path) -> None:
    """Write a PEFT configuration with its keys and modules sorted and without a path of this machine."""
    values = config.to_dict() | {"base_model_name_or_path": None, "inference_mode": True}
    values["target_modules"] = sorted(values["target_modules"])
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")
