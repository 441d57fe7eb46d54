"""Adapters with a rank or scale per module, rewritten for engines that know one rank and one scale for all."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lossgeometry.updates.peft import CONFIG_FILE, WEIGHTS_FILE, Adapter


def has_patterns(adapter: Path) -> bool:
    """Return whether a PEFT folder sets a rank or an alpha apart for some modules."""
    config = json.loads((adapter / CONFIG_FILE).read_text(encoding="utf-8"))
    return bool(config.get("rank_pattern") or config.get("alpha_pattern"))


def write_uniform(adapter: Path, folder: Path) -> Path:
    """Write the same adapter with one rank and scale 1 for all modules into `folder`, and return it.

    The scale of each module is multiplied into its B, and both factors are padded with zeros to the largest rank, so that
    B A is the update itself; factors are float32.
    """
    source = Adapter(adapter)
    factors = {module: source.factors(module) for module in source.modules}
    rank = max(one.a.shape[0] for one in factors.values())
    tensors = {}
    for module, (b, a, scale) in factors.items():
        padding = rank - a.shape[0]
        prefix = f"base_model.model.{module}"
        tensors[f"{prefix}.lora_A.weight"] = np.pad(a, ((0, padding), (0, 0))).astype(np.float32)
        tensors[f"{prefix}.lora_B.weight"] = np.pad(scale * b, ((0, 0), (0, padding))).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config = json.loads((adapter / CONFIG_FILE).read_text(encoding="utf-8"))
    config |= {"r": rank, "lora_alpha": rank, "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder
