"""PEFT LoRA adapters, read without torch: the factors of every module's update, in float64.

The update of a linear module is dW = s B A with B (m, r), A (r, n), and s = alpha / r, or alpha / sqrt(r) under
rsLoRA (Hu et al. 2021, doi:10.48550/arXiv.2106.09685; Kalajdzievski 2023, doi:10.48550/arXiv.2312.03732). An embedding is the
linear map of its one-hot tokens, and a convolution that of its flattened patches: n is the size of the vocabulary, or inputs
times height times width of the kernel.
"""

import math
import re
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFile
from lossgeometry.provenance import digest_of_file
from lossgeometry.updates.base import BaseWeights
from lossgeometry.updates.dense import Truncated, dora_updates, whole_updates
from lossgeometry.updates.factors import Factors, require_finite
from lossgeometry.updates.folders import CONFIG_FILE, WEIGHTS_FILE
from lossgeometry.updates.peft_config import read_config
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update

# `<module>.lora_A.weight`, or with the adapter's name as in a model's own state dict: `<module>.lora_A.default.weight`.
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(?:\.(?P<adapter>[^.]+))?\.weight")
_EMBEDDING = re.compile(r"(?P<module>.+)\.lora_embedding_(?P<side>[AB])(?:\.(?P<adapter>[^.]+))?")
_MAGNITUDE = re.compile(
    r"(?P<module>.+)\.lora_(?P<side>magnitude)_vector(?:\.(?P<adapter>(?!weight$)[^.]+))?(?:\.weight)?"
)
_WHOLE = re.compile(r"(?P<module>.+?)(?:\.modules_to_save(?:\.[^.]+)?)?\.weight")
# Beside the factors of an output layer PEFT saves the base's own weight, which LoRA leaves frozen.
_BASE_LAYER = ".base_layer.weight"
FROZEN = "the base's own weight, saved beside the factors"
"""Why such a weight is no part of the update."""
WHOLE = "trained or saved whole, beside the low-rank update"
BIAS = "a bias, which is no matrix"
# What PEFT, data-parallel wrappers and torch.compile put before the names of a model's modules.
_WRAPPER = re.compile(r"^(?:base_model\.model\.|module\.|_orig_mod\.)+|(?<=\.)_orig_mod\.")


class Adapter(Update):
    """A PEFT LoRA folder; the tensors are read one module at a time.

    Parameters
    ----------
    base
        Folder of the base model: for DoRA, and to compare modules of its layers that were trained whole.
    rank
        Largest rank that is kept of those; `left_out` says what that costs.

    Attributes
    ----------
    modules
        Names of the adapted modules without the `base_model.model.` prefix.
    source
        sha256 of the weights file.

    Raises
    ------
    InputError
        If the folder is incomplete or damaged, or holds what is not an update of weight matrices.
    """

    def __init__(self, folder: str | Path, base: str | Path | None = None, rank: int = 64):
        self.folder = Path(folder)
        self._config = read_config(self.folder)
        self._file = TensorFile(self.folder / WEIGHTS_FILE)
        skipped: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._tensors = self._sort_tensors(skipped)
        self._config.require_patterns(self._tensors)
        shapes = {module: self._checked_shape(module, sides) for module, sides in self._tensors.items()}
        turned = {module for module, sides in self._tensors.items() if self._config.transposed or _is_embedding(sides)}
        self._dense = self._dense_updates(base, rank, skipped)
        shapes |= {module: found.svd.shape for module, found in self._dense.items()}
        left_out = {module: found.left_out for module, found in self._dense.items()}
        super().__init__(shapes, self._read_factors, self.folder.resolve().name, turned, left_out)
        self.base, self.skipped = self._config.base, skipped

    def _sort_tensors(self, skipped: dict[str, str]) -> dict[str, dict[str, str]]:
        """Return {module: {"A", "B" or "magnitude": tensor}}; what is no part of an update goes to `skipped`."""
        found: dict[str, dict[str, str]] = {}
        adapters = set()
        for name in self._file.shapes:
            bare = _WRAPPER.sub("", name)
            if name.endswith(_BASE_LAYER):
                skipped[name] = FROZEN
            elif name.endswith(".bias"):
                skipped[name] = BIAS
            elif ".lora_" not in name:
                skipped[name] = WHOLE
                if match := _WHOLE.fullmatch(bare):
                    self._whole[match["module"]] = name
            else:
                match = next(filter(None, (kind.fullmatch(bare) for kind in (_FACTOR, _EMBEDDING, _MAGNITUDE))), None)
                if match is None:
                    raise InputError(f"{self.folder} holds {name}, which is no LoRA factor of a weight matrix")
                adapters.add(match["adapter"])
                found.setdefault(match["module"], {})[match["side"]] = name
        if not found:
            raise InputError(
                f"{self.folder} holds no LoRA factors; train it, or check that the right adapter was saved"
            )
        if len(adapters) > 1:
            names = ", ".join(sorted(str(adapter) for adapter in adapters))
            raise InputError(f"{self.folder} holds several adapters ({names}); save each in a folder of its own")
        return found

    def _checked_shape(self, module: str, sides: dict[str, str]) -> tuple[int, int]:
        """Return (m, n) of a module, having checked that its factors have a product of the rank that is declared."""
        if not {"A", "B"} <= sides.keys():
            raise InputError(f"{self.folder} holds only one factor of {module}; save the adapter again")
        shape_a, shape_b = self._file.shapes[sides["A"]], self._file.shapes[sides["B"]]
        kernel = shape_b[2:]
        if not 2 <= len(shape_a) == len(shape_b) <= 5 or any(size != 1 for size in kernel) or 0 in shape_a + shape_b:
            raise InputError(
                f"{self.folder}: the factors of {module} have shapes {shape_b} and {shape_a}; "
                "only linear modules, embeddings and convolutions can be compared"
            )
        rank = self._config.rank_of(module)
        if not shape_a[0] == shape_b[1] == rank:
            raise InputError(
                f"{self.folder}: the factors of {module} have shapes {shape_b} and {shape_a}, but "
                f"{CONFIG_FILE} says rank {rank}; correct r or rank_pattern, or fetch the files again"
            )
        return shape_b[0], math.prod(shape_a[1:])

    def _dense_updates(self, base: str | Path | None, rank: int, skipped: dict[str, str]) -> dict[str, Truncated]:
        """Return the updates that are differences of dense matrices; what is one of them is no longer skipped."""
        scaled = {module: sides["magnitude"] for module, sides in self._tensors.items() if "magnitude" in sides}
        if self._config.dora and not scaled:
            raise InputError(f"{self.folder} says use_dora, but holds no lengths of outputs; fetch the files again")
        if scaled and base is None:
            raise InputError(
                f"{self.folder} cannot be compared without its base model (use_dora): DoRA rescales the outputs of the "
                "weights; name the folder of the base model"
            )
        if base is None or not (scaled or self._whole):
            return {}
        if rank < 1:
            raise InputError(f"rank {rank} keeps nothing of {self.folder}; keep 1 or more")
        weights = BaseWeights(base)
        for module in scaled:
            if len(self._file.shapes[self._tensors[module]["A"]]) != 2 or _is_embedding(self._tensors[module]):
                raise InputError(f"{self.folder}: {module} is not linear; of DoRA only linear modules can be compared")
        factors = {module: self._product(module) for module in scaled}
        found = dora_updates(self._file, weights, scaled, factors, rank, self._config.transposed)
        whole = whole_updates(self._file, weights, self._whole, rank)
        for module in whole:
            del skipped[self._whole[module]]
        return found | whole

    def adapter_rank(self, module: str) -> int:
        return self._dense[module].svd.rank if module in self._dense else self._config.rank_of(module)

    def largest_rank(self, module: str) -> int:
        return min(self.adapter_rank(module), *self.shape(module))

    def scale(self, module: str) -> float:
        """Return s without reading the factors: alpha / r, or alpha / sqrt(r) under rsLoRA; 1 for a dense update."""
        return 1.0 if module in self._dense else self._config.scale_of(module)

    def svd(self, module: str) -> CompactSVD:
        return self._dense[module].svd if module in self._dense else super().svd(module)

    def _read_factors(self, module: str) -> Factors:
        if module in self._dense:
            u, s, v = self._dense[module].svd[:3]
            return Factors(u * s, v.T, 1.0)
        return self._product(module)

    def _product(self, module: str) -> Factors:
        """Return the low-rank part of a module."""
        b, a = (self._file.read(self._tensors[module][side]).astype(np.float64) for side in "BA")
        require_finite(self.folder, module, b, a)
        return Factors(b.reshape(b.shape[:2]), a.reshape(len(a), -1), self._config.scale_of(module))

    @property
    def source(self) -> str:
        return digest_of_file(self.folder / WEIGHTS_FILE)


def _is_embedding(sides: dict[str, str]) -> bool:
    return ".lora_embedding_" in sides["A"]
