"""PEFT LoRA adapters, read without torch: the factors of every module's update, in float64.

The update of a linear module is dW = s B A with B (m, r), A (r, n), and s = alpha / r, or alpha / sqrt(r) under
rsLoRA (Hu et al. 2021, doi:10.48550/arXiv.2106.09685; Kalajdzievski 2023, doi:10.48550/arXiv.2312.03732).
"""

import re
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile
from lossgeometry.provenance import digest_of_file
from lossgeometry.updates.factors import Factors, require_finite
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE
from lossgeometry.updates.peft_config import read_config
from lossgeometry.updates.update import Update

# `<module>.lora_A.weight`, or with the adapter's name as in a model's own state dict: `<module>.lora_A.default.weight`.
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(?:\.(?P<adapter>[^.]+))?\.weight")
# Beside the factors of an output layer PEFT saves the base's own weight, which LoRA leaves frozen.
_BASE_LAYER = ".base_layer.weight"
FROZEN = "the base's own weight, saved beside the factors"
"""Why such a weight is no part of the update."""
# What PEFT, data-parallel wrappers and torch.compile put before the names of a model's modules.
_WRAPPER = re.compile(r"^(?:base_model\.model\.|module\.|_orig_mod\.)+|(?<=\.)_orig_mod\.")


class Adapter(Update):
    """A PEFT LoRA folder; the tensors are read one module at a time.

    Attributes
    ----------
    modules
        Names of the adapted modules without the `base_model.model.` prefix.
    skipped
        {tensor: reason} of what is no part of the update: heads that were trained whole, copies of embeddings.
    source
        sha256 of the weights file.

    Raises
    ------
    InputError
        If the folder is incomplete or damaged, or holds anything but plain LoRA on linear modules.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._config = read_config(self.folder)
        self._file = TensorFile(self.folder / WEIGHTS_FILE)
        skipped: dict[str, str] = {}
        self._tensors = self._pair_tensors(skipped)
        shapes = {
            module: (self._file.shapes[sides["B"]][0], self._file.shapes[sides["A"]][1])
            for module, sides in self._tensors.items()
        }
        transposed = shapes if self._config.transposed else ()
        super().__init__(shapes, self._read_factors, self.folder.resolve().name, transposed)
        self.skipped = skipped

    def _pair_tensors(self, skipped: dict[str, str]) -> dict[str, dict[str, str]]:
        """Return {module: {"A": tensor name, "B": tensor name}}, having checked every tensor; add to what is skipped."""
        pairs: dict[str, dict[str, str]] = {}
        adapters = set()
        for name in self._file.shapes:
            if name.endswith(_BASE_LAYER):
                skipped[name] = FROZEN
                continue
            match = _FACTOR.fullmatch(_WRAPPER.sub("", name))
            if match is None and ".lora_" not in name:
                skipped[name] = "trained or saved whole, beside the low-rank update"
                continue
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
            rank = self._config.rank_of(module)
            if not shape_a[0] == shape_b[1] == rank:
                raise InputError(
                    f"{self.folder}: the factors of {module} have shapes {shape_b} and {shape_a}, but "
                    f"{CONFIG_FILE} says rank {rank}; correct r or rank_pattern, or fetch the files again"
                )
        return pairs

    def adapter_rank(self, module: str) -> int:
        return self._config.rank_of(module)

    def scale(self, module: str) -> float:
        """Return s: alpha / r, or alpha / sqrt(r) under rsLoRA."""
        return self._config.scale_of(module)

    def _read_factors(self, module: str) -> Factors:
        names = self._tensors[module]
        b, a = (self._file.read(names[side]).astype(np.float64) for side in "BA")
        require_finite(self.folder, module, b, a)
        return Factors(b, a, self.scale(module))

    @property
    def source(self) -> str:
        return digest_of_file(self.folder / WEIGHTS_FILE)
