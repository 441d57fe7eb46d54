"""A LoRA folder as PEFT writes and loads it, without torch."""

import json
import re
from pathlib import Path
from typing import Protocol

import numpy as np

from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.updates.factors import Factors
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE

PREFIX = "base_model.model."


class LowRank(Protocol):
    """An update, as it is written."""

    modules: list[str]
    transposed: frozenset[str]

    def factors(self, module: str) -> Factors: ...


def write_peft(update: LowRank, folder: Path) -> Path:
    """Write an update as a LoRA adapter in float32, and return its folder.

    Each module keeps its own factors; where ranks or scales differ, `rank_pattern` and `alpha_pattern` name the module. A
    module without any direction is written with one that is zero, and a scale that is not positive goes into B, since PEFT
    knows neither.
    """
    tensors, ranks, alphas = {}, {}, {}
    for module in update.modules:
        b, a, scale = update.factors(module)
        if not len(a):
            b, a = np.zeros((len(b), 1)), np.zeros((1, a.shape[1]))
        if scale <= 0:
            b, scale = scale * b, 1.0
        ranks[module], alphas[module] = len(a), _plain(scale * len(a))
        tensors[f"{PREFIX}{module}.lora_A.weight"] = a.astype(np.float32)
        tensors[f"{PREFIX}{module}.lora_B.weight"] = b.astype(np.float32)
    rank, alpha = (max(values.values()) for values in (ranks, alphas))
    config = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "fan_in_fan_out": bool(update.transposed),
        "target_modules": update.modules,
        # PEFT takes the first pattern that matches the end of a name: `^` keeps `x.q` from meaning `y.x.q` as well.
        "rank_pattern": {f"^{re.escape(module)}": value for module, value in ranks.items() if value != rank},
        "alpha_pattern": {f"^{re.escape(module)}": value for module, value in alphas.items() if value != alpha},
    }
    write_tensors(folder / WEIGHTS_FILE, tensors, {"format": "pt"})
    with atomic_file(folder / CONFIG_FILE) as partial:
        partial.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder


def _plain(alpha: float) -> int | float:
    return int(alpha) if alpha == int(alpha) else alpha
