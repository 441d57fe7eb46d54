"""A LoRA's configuration, checked before it is believed: it comes from strangers."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.updates.folders import CONFIG_FILE
from lossgeometry.updates.patterns import by_pattern, require_pattern, require_short_work

_DOES_MORE = {
    "target_parameters": "it adapts stacked expert parameters, which are no linear modules",
    "layer_replication": "it repeats layers, so that its modules are not those of the base",
    "use_qalora": "QA-LoRA pools the input of A, so that its update is not B A",
    "use_bdlora": "BD-LoRA makes its factors block diagonal",
    "alora_invocation_tokens": "activated LoRA changes the weights for some tokens only",
    "arrow_config": "it routes between several adapters",
    "kasa_config": "KaSA puts trained singular values between B and A and truncates the base",
    "monteclora_config": "MonteCLoRA samples its factors",
}
# These start from B A != 0 and subtract it from the base, so that B A is not what training changed.
_MOVED_BASE = ("pissa", "olora", "loftq", "corda", "lora_ga")
_LARGEST_ALPHA = 1e6
"""Beyond it the numbers mean nothing, and their squares overflow."""


@dataclass(frozen=True)
class LoraConfig:
    """What a LoRA's factors mean."""

    path: Path
    """File that says so, for messages."""
    rank: int
    alpha: float
    rank_pattern: dict[str, int]
    alpha_pattern: dict[str, float]
    rslora: bool
    transposed: bool
    """Whether the base stores the weights of the adapted modules as (inputs, outputs)."""
    dora: bool
    """Whether every output has a length of its own, which the weights then hold."""
    base: str
    """Last part of the base model's path or hub id; empty where it is not said."""

    def rank_of(self, module: str) -> int:
        """Return the number of rows of a module's A."""
        return by_pattern(self.rank_pattern, module, self.rank)

    def scale_of(self, module: str) -> float:
        """Return s: alpha / r, or alpha / sqrt(r) under rsLoRA."""
        rank, alpha = self.rank_of(module), by_pattern(self.alpha_pattern, module, self.alpha)
        return alpha / math.sqrt(rank) if self.rslora else alpha / rank

    def require_patterns(self, modules: Iterable[str]) -> None:
        """Raise InputError if looking these modules up could take for ever."""
        require_short_work(f"{self.path}:", [*self.rank_pattern, *self.alpha_pattern], modules)


def read_config(folder: Path) -> LoraConfig:
    """Return the configuration of a PEFT folder.

    Raises
    ------
    InputError
        If it is missing, damaged, or not that of a plain LoRA.
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; name the folder that holds a PEFT adapter") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; save the adapter again") from None
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise InputError(
            f"{folder} holds a PEFT adapter of type {kind}, but only LORA updates weights by a product of two factors"
        )
    for key, reason in _DOES_MORE.items():
        if config.get(key):
            raise InputError(f"{folder} cannot be compared ({key}): {reason}; bring an adapter with plain LoRA")
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(_MOVED_BASE):
        raise InputError(
            f"{folder} cannot be compared (init_lora_weights {start}): its B A is relative to a base that the "
            "initialisation changed; convert it to plain LoRA with PEFT's path_initial_model_for_weight_conversion"
        )
    for key, patterns, check in (("r", "rank_pattern", _is_rank), ("lora_alpha", "alpha_pattern", _is_alpha)):
        if not check(config.get(key)):
            raise InputError(f"{path} has no positive {key}; save the adapter again")
        _check_patterns(path, patterns, config.get(patterns) or {}, check)
    return LoraConfig(
        path,
        config["r"],
        config["lora_alpha"],
        config.get("rank_pattern") or {},
        config.get("alpha_pattern") or {},
        bool(config.get("use_rslora")),
        bool(config.get("fan_in_fan_out")),
        bool(config.get("use_dora")),
        str(config.get("base_model_name_or_path") or "").rstrip("/").rpartition("/")[2],
    )


def _is_rank(value: object) -> bool:
    return type(value) is int and value > 0


def _is_alpha(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= _LARGEST_ALPHA


def _check_patterns(path: Path, key: str, patterns: object, check: Callable[[object], bool]) -> None:
    if not isinstance(patterns, dict) or not all(map(check, patterns.values())):
        raise InputError(f"{path}: {key} does not map patterns to positive numbers; correct it")
    for pattern in patterns:
        require_pattern(f"{path}: {key}", pattern)
