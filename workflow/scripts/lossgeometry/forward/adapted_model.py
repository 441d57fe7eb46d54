"""A base model with any number of unmerged updates, each row of a batch at its own point in their span.

The weights W0 + sum_p w_p dW_p are never formed. With dW_p = B_p A_p (the scale inside B_p), the factors of all updates
of a module are stacked once, A = [A_1; A_2; ...] and B = [B_1, B_2, ...], so that the update of a row with the weights
w is ``((x A') * w) B'``, in which w_p is repeated over the rank of update p. This is exact for updates of different
ranks and with different A. (Averaging A and B separately is another function: it differs by -t(1-t)(B_1-B_2)(A_1-A_2).)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from lossgeometry.errors import InputError
from lossgeometry.updates.peft import FROZEN, Adapter

CURE = "compare adapters of this base model only"


def load_base(folder: str | Path, precision: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model of a Hugging Face folder, on the accelerator where there is one, and its tokenizer."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, precision), local_files_only=True)
    return model.to(device).eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


class UpdateSpan:
    """Weight updates attached to a model through forward hooks, and the weights with which the next forward applies
    them."""

    def __init__(self, ranks: Sequence[Mapping[str, int]]) -> None:
        self.updates = len(ranks)
        modules = sorted({module for update in ranks for module in update})
        # The update that each row of a module's stacked factors belongs to.
        self._owners = {
            module: [p for p, update in enumerate(ranks) for _ in range(update.get(module, 0))] for module in modules
        }
        self._columns: dict[str, torch.Tensor] = {}

    def set_weights(self, weights: torch.Tensor) -> None:
        """Apply update p with ``weights[row, p]`` in the forward passes that follow.

        Parameters
        ----------
        weights
            (rows, updates); one row stands for every row of the batch.
        """
        self._columns = {module: weights[:, None, owners] for module, owners in self._owners.items()}

    def columns(self, module: str) -> torch.Tensor:
        """Return the weights of a module's stacked factors, (rows, 1, total rank)."""
        return self._columns[module]


@contextmanager
def attached(model: PreTrainedModel, adapters: Sequence[Adapter]) -> Iterator[UpdateSpan]:
    """Attach updates to a model for the length of a ``with`` block; at first all of them have the weight 0.

    The factors are held and applied in float32 whatever the model's type is, as PEFT does.

    Raises
    ------
    InputError
        If the model lacks an adapted module, or the module is not linear, or its shape differs; or if an adapter also holds
        modules that were trained whole.
    """
    for adapter in adapters:
        whole = [name for name, reason in adapter.skipped.items() if reason != FROZEN]
        if whole:
            raise InputError(
                f"{adapter.folder} also holds {whole[0]}, which is trained whole and cannot be attached to"
                " the base; compare this adapter in its weights alone"
            )
    device = next(model.parameters()).device
    span = UpdateSpan([{name: adapter.factors(name).a.shape[0] for name in adapter.modules} for adapter in adapters])
    handles = []
    try:
        for name in sorted({name for adapter in adapters for name in adapter.modules}):
            present = [adapter for adapter in adapters if name in adapter.modules]
            linear = _linear(model, name, present)
            factors = [adapter.factors(name) for adapter in present]
            down = _tensor(np.concatenate([part.a for part in factors]), device)
            up = _tensor(np.concatenate([part.scale * part.b for part in factors], axis=1), device)
            handles.append(linear.register_forward_hook(_hook(span, name, down, up)))
        span.set_weights(torch.zeros(1, len(adapters), device=device))
        yield span
    finally:
        for handle in handles:
            handle.remove()


def _hook(span: UpdateSpan, name: str, down: torch.Tensor, up: torch.Tensor) -> Callable:
    def add_update(_module, inputs, output):
        shrunk = torch.nn.functional.linear(inputs[0].float(), down) * span.columns(name)  # (rows, tokens, total rank)
        return (output.float() + torch.nn.functional.linear(shrunk, up)).to(output.dtype)

    return add_update


def _tensor(array: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)


def _linear(model: PreTrainedModel, name: str, present: Sequence[Adapter]) -> torch.nn.Linear:
    try:
        module = model.get_submodule(name)
    except AttributeError:
        raise InputError(f"{present[0].folder} updates {name}, which the base model does not have; {CURE}") from None
    if not isinstance(module, torch.nn.Linear):
        raise InputError(
            f"{present[0].folder} updates {name}, a {type(module).__name__} of the base model; bring an adapter of"
            " linear modules only"
        )
    for adapter in present:
        if adapter.shape(name) != tuple(module.weight.shape):
            raise InputError(
                f"{adapter.folder} updates {name} with shape {adapter.shape(name)}, but the base model's weight"
                f" has shape {tuple(module.weight.shape)}; {CURE}"
            )
    return module
