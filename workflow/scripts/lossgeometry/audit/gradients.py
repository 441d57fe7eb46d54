"""Gradients of several losses by the LoRA factors, summed over groups of rows, from two backward passes over the rows.

The gradient of a row by B is sum_t delta_t (A x_t)', linear in the coefficients c of its tokens. Losses that ask the same of
a row's tokens up to a factor (all that weigh log p) share one backward pass; there are as many passes as there are directions
of c among the losses, at most, on a row. No gradient of a single row is kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from peft import PeftModel

from lossgeometry.forward.losses import batches_by_length, padded
from lossgeometry.forward.sequences import TokenSequence

SAME = 1e-9
"""Largest relative distance of coefficients that count as proportional; they are computed in float64."""


class GroupSums:
    """Hooks on every LoRA module that add the rows' gradients, each with its weight in each group.

    Attributes
    ----------
    b, a
        {module: (groups, *shape of the factor)}, in the factors' type. `a` stays empty where every B is zero, and with it its
        gradient.
    """

    def __init__(self, model: PeftModel, groups: int) -> None:
        modules = {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}
        self._layers = {
            _plain(name): (module.lora_A.default, module.lora_B.default) for name, module in modules.items()
        }
        self.factors = {
            name: (b.weight.detach(), a.weight.detach(), float(modules[full].scaling["default"]))
            for full, (name, (a, b)) in zip(modules, self._layers.items(), strict=True)
        }
        self.b = {name: _sums(groups, b) for name, (_, b) in self._layers.items()}
        moved = any(bool(b.any()) for b, _, _ in self.factors.values())
        self.a = {name: _sums(groups, a) for name, (a, _) in self._layers.items()} if moved else {}
        self._weights = torch.zeros(groups, 0)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record what passes through the factors for the length of a ``with`` block."""
        handles = []
        for name, (a, b) in self._layers.items():
            handles.append(b.register_forward_hook(self._recorder(self.b[name])))
            if self.a:
                handles.append(a.register_forward_hook(self._recorder(self.a[name])))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def weigh(self, weights: torch.Tensor) -> None:
        """Set the weights of the rows of the next backward pass in every group, (groups, rows)."""
        self._weights = weights

    def _recorder(self, total: torch.Tensor):
        def record(_, inputs, output):
            kept = inputs[0].detach().to(total.dtype)

            def add(output_gradient):
                gradient = torch.einsum("nto,nti->noi", output_gradient.to(total.dtype), kept)
                weights = self._weights.to(total.dtype)
                present = weights.any(dim=1).nonzero()[:, 0]
                total[present] += torch.einsum("gn,noi->goi", weights[present], gradient)

            # On the tensor: a module's backward hook would keep the graph alive in a cycle.
            output.register_hook(add)

        return record


def _sums(groups: int, layer: torch.nn.Module) -> torch.Tensor:
    return torch.zeros(groups, *layer.weight.shape, dtype=layer.weight.dtype, device=layer.weight.device)


def _plain(name: str) -> str:
    return name.removeprefix("base_model.model.")


def row_log_probs(model, sequences: Sequence[TokenSequence], tokens_per_batch: int) -> list[torch.Tensor]:
    """Return log p of each completion token of every sequence, (tokens,), float64."""
    found: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for batch in batches_by_length([len(row.tokens) for row in sequences], tokens_per_batch):
            for index, values in zip(batch, _log_probs(model, [sequences[i] for i in batch]), strict=True):
                found[index] = values.double().cpu()
    return [found[index] for index in range(len(sequences))]


def add_gradients(
    model: PeftModel,
    sums: GroupSums,
    sequences: Sequence[TokenSequence],
    coefficients: Sequence[Sequence[tuple[int, torch.Tensor]]],
    tokens_per_batch: int,
) -> None:
    """Add the gradient of every row to the groups that it belongs to.

    Parameters
    ----------
    sequences
        The rows.
    coefficients
        For every row (group, coefficients of its tokens, (tokens,), float64); a group may come more than once.
    """
    device = next(model.parameters()).device
    groups = len(next(iter(sums.b.values())))
    with sums.listening():
        for batch in batches_by_length([len(row.tokens) for row in sequences], tokens_per_batch):
            rows = [_directions(coefficients[index]) for index in batch]
            depth = max(map(len, rows), default=0)
            if not depth:
                continue
            log_probs = _log_probs(model, [sequences[index] for index in batch])
            for level in range(depth):
                weights = torch.zeros(groups, len(batch), dtype=torch.float64)
                terms = []
                for place, directions in enumerate(rows):
                    if level < len(directions):
                        direction, shares = directions[level]
                        terms.append((log_probs[place] * direction.to(log_probs[place])).sum())
                        for group, share in shares.items():
                            weights[group, place] = share
                sums.weigh(weights.to(device))
                model.zero_grad(set_to_none=True)
                torch.stack(terms).sum().backward(retain_graph=level + 1 < depth)
    model.zero_grad(set_to_none=True)


def _directions(asked: Sequence[tuple[int, torch.Tensor]]) -> list[tuple[torch.Tensor, dict[int, float]]]:
    """Return the distinct directions among one row's coefficients, each with {group: factor}."""
    found: list[tuple[torch.Tensor, dict[int, float]]] = []
    for group, values in asked:
        for direction, shares in found:
            factor = float(values @ direction / (direction @ direction))
            if float((values - factor * direction).norm()) <= SAME * float(values.norm()):
                shares[group] = shares.get(group, 0.0) + factor
                break
        else:
            found.append((values, {group: 1.0}))
    return found


def _log_probs(model, sequences: Sequence[TokenSequence]) -> list[torch.Tensor]:
    """Return log p of the completion tokens of a batch, one tensor a row, float32 or wider."""
    device = next(model.parameters()).device
    tokens = padded([row.tokens for row in sequences], device)
    logits = model(input_ids=tokens, use_cache=False).logits
    found = []
    for row, sequence in enumerate(sequences):
        start = len(sequence.prompt) - 1
        scores = logits[row, start : start + len(sequence.completion)]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        targets = torch.tensor(sequence.completion, device=device)
        found.append(torch.log_softmax(scores, dim=-1).gather(1, targets[:, None])[:, 0])
    return found
