"""PEFT LoRA adapters, read without torch: the factors of every module's update, in float64.

The update of a linear module is dW = s B A with B (m, r), A (r, n), and s = alpha / r, or alpha / sqrt(r) under
rsLoRA (Hu et al. 2021, doi:10.48550/arXiv.2106.09685; Kalajdzievski 2023, doi:10.48550/arXiv.2312.03732).
"""

import json
import math
import re
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile
from lossgeometry.provenance import digest_of_file
from lossgeometry.updates.factors import Factors, require_finite
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE
from lossgeometry.updates.update import Update

# `<module>.lora_A.weight`, or with the adapter's name as in a model's own state dict: `<module>.lora_A.default.weight`.
_FACTOR = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[AB])(?:\.(?P<adapter>[^.]+))?\.weight")

_DOES_MORE = {
    "use_dora": "DoRA rescales the columns of the weights, so that its update is not B A and depends on the base",
    "lora_bias": "it also trains a bias beside B",
    "modules_to_save": "it also replaces whole modules, which are no low-rank update",
    "trainable_token_indices": "it also replaces embedding rows, which are no low-rank update",
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


class Adapter(Update):
    """A PEFT LoRA folder; the tensors are read one module at a time.

    Attributes
    ----------
    modules
        Names of the adapted modules without the `base_model.model.` prefix.
    source
        sha256 of the weights file.

    Raises
    ------
    InputError
        If the folder is incomplete or damaged, or holds anything but plain LoRA on linear modules.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._config = _read_config(self.folder)
        self._file = TensorFile(self.folder / WEIGHTS_FILE)
        self._tensors = self._pair_tensors()
        shapes = {
            module: (self._file.shapes[sides["B"]][0], self._file.shapes[sides["A"]][1])
            for module, sides in self._tensors.items()
        }
        transposed = shapes if self._config.get("fan_in_fan_out") else ()
        super().__init__(shapes, self._read_factors, self.folder.resolve().name, transposed)

    def _pair_tensors(self) -> dict[str, dict[str, str]]:
        """Return {module: {"A": tensor name, "B": tensor name}}, having checked every tensor."""
        pairs: dict[str, dict[str, str]] = {}
        adapters = set()
        for name in self._file.shapes:
            match = _FACTOR.fullmatch(name)
            if match is None:
                raise InputError(
                    f"{self.folder} holds {name}, which is no LoRA factor of a linear module; "
                    "only plain LoRA can be compared"
                )
            adapters.add(match["adapter"])
            pairs.setdefault(match["module"], {})[match["side"]] = name
        if not pairs:
            raise InputError(
                f"{self.folder} holds no LoRA factors; train it, or check that the right adapter was saved"
            )
        if len(adapters) > 1:
            names = ", ".join(sorted(str(adapter) for adapter in adapters))
            raise InputError(f"{self.folder} holds several adapters ({names}); save each in a folder of its own")
        for module, sides in pairs.items():
            if len(sides) < 2:
                raise InputError(f"{self.folder} holds only one factor of {module}; save the adapter again")
            shape_a, shape_b = self._file.shapes[sides["A"]], self._file.shapes[sides["B"]]
            if len(shape_a) != 2 or len(shape_b) != 2:
                raise InputError(
                    f"{self.folder}: {module} is no linear module (its A has shape {shape_a}); "
                    "only linear modules can be compared"
                )
            rank, _ = self._rank_and_alpha(module)
            if not shape_a[0] == shape_b[1] == rank:
                raise InputError(
                    f"{self.folder}: the factors of {module} have shapes {shape_b} and {shape_a}, but "
                    f"{CONFIG_FILE} says rank {rank}; correct r or rank_pattern, or fetch the files again"
                )
        return pairs

    def _rank_and_alpha(self, module: str) -> tuple[int, float]:
        config = self._config
        rank = _by_pattern(config.get("rank_pattern"), module, config["r"])
        return rank, _by_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])

    def adapter_rank(self, module: str) -> int:
        return self._rank_and_alpha(module)[0]

    def scale(self, module: str) -> float:
        """Return s: alpha / r, or alpha / sqrt(r) under rsLoRA."""
        rank, alpha = self._rank_and_alpha(module)
        return alpha / math.sqrt(rank) if self._config.get("use_rslora") else alpha / rank

    def _read_factors(self, module: str) -> Factors:
        names = self._tensors[module]
        b, a = (self._file.read(names[side]).astype(np.float64) for side in "BA")
        require_finite(self.folder, module, b, a)
        return Factors(b, a, self.scale(module))

    @property
    def source(self) -> str:
        return digest_of_file(self.folder / WEIGHTS_FILE)


def _read_config(folder: Path) -> dict:
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; name the folder that holds a PEFT adapter") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{path} is not JSON; save the adapter again") from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise InputError(
            f"{folder} holds a PEFT adapter of type {kind}, but only LORA updates weights by a product of two factors"
        )
    for key, reason in _DOES_MORE.items():
        if config.get(key):
            raise InputError(f"{folder} cannot be compared ({key}): {reason}; bring an adapter with plain LoRA")
    if config.get("bias", "none") != "none":
        raise InputError(
            f"{folder} cannot be compared (bias): it also trains the biases of the base; "
            "bring an adapter with plain LoRA"
        )
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(_MOVED_BASE):
        raise InputError(
            f"{folder} cannot be compared (init_lora_weights {start}): its B A is relative to a base that the "
            "initialisation changed; convert it to plain LoRA with PEFT's path_initial_model_for_weight_conversion"
        )
    for key, kinds in (("r", int), ("lora_alpha", (int, float))):
        if not isinstance(config.get(key), kinds) or config[key] <= 0:
            raise InputError(f"{path} has no positive {key}; save the adapter again")
    return config


def _by_pattern(patterns: dict | None, module: str, default):
    """Return the value of the first pattern that matches the end of the module's name, as PEFT resolves them."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
