"""What a loss asks of every token: the derivative of the loss by each log-probability, at a point.

A loss on fixed rollouts depends on the model through the log-probabilities of their tokens alone, so its gradient is
sum_rows sum_t c_t grad log p_t with c_t = dL / d log p_t. The methods' own functions are differentiated: `token_loss` on the
rows that `select` takes, `pair_loss` on the pairs of `options.pairs`, `row_loss` on all rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch

from lossgeometry.errors import InputError
from lossgeometry.training.pairing import preference_pairs
from lossgeometry.training.token_loss import Tokens
from lossgeometry.training.training_job import TrainingJob

Rows = Mapping[Any, torch.Tensor]
"""{label of a rollout: log-probabilities of its tokens, (tokens,), float64}."""


@dataclass(frozen=True)
class Pairs:
    """Preference pairs, as a loss on pairs sees them. All tensors are float64, (pairs,)."""

    chosen: torch.Tensor
    """Summed log-probability of the right completion."""
    rejected: torch.Tensor
    """Summed log-probability of the wrong completion."""
    reference_chosen: torch.Tensor
    """The same under the base."""
    reference_rejected: torch.Tensor
    chosen_tokens: torch.Tensor
    """Length of the right completion."""
    rejected_tokens: torch.Tensor


@dataclass(frozen=True)
class Completions:
    """Whole completions, as a loss on single rows sees them. All tensors are float64, (rows,)."""

    log_prob: torch.Tensor
    """Summed log-probability."""
    reference: torch.Tensor
    """The same under the base."""
    right: torch.Tensor
    """1 where the reward is above 0, else 0."""


class Completed(NamedTuple):
    """All rows, padded with zeros on the right to one matrix each, (rows, tokens), float64."""

    log_probs: torch.Tensor
    reference: torch.Tensor
    mask: torch.Tensor
    """1 on tokens, 0 on padding."""
    labels: list[Any]

    def places(self, labels: Iterable[Any]) -> list[int]:
        """Return where the rows of these labels are."""
        known = {label: place for place, label in enumerate(self.labels)}
        return [known[label] for label in labels]


class Coefficients(NamedTuple):
    """What a loss asks of the rollouts."""

    of_rows: dict[Any, torch.Tensor]
    """{label of a rollout: c, (tokens,), float64}; rows without any influence are left out."""
    units: int
    """Rows, or pairs, that the loss is a sum over: what batches are made of."""


def is_paired(method: Any) -> bool:
    """Return whether a loss is a sum over pairs, which hold as many right as wrong rollouts."""
    return hasattr(method, "pair_loss") and not hasattr(method, "token_loss")


def coefficients(
    method: Any, options: Any, job: TrainingJob, rollouts: pd.DataFrame, log_probs: Rows, reference: Rows
) -> Coefficients:
    """Return what a method asks of the tokens of the rows that it trains on.

    Parameters
    ----------
    method
        A module of `lossgeometry.methods`, or any other with the same names.
    rollouts
        The rows whose log-probabilities are known, with the columns of the artifact contract.
    log_probs, reference
        Under the model at the point, and under the base.

    Raises
    ------
    InputError
        If the method takes none of the rows, is no offline method, or its loss is not finite or has no gradient there.
    """
    # One matrix for all rows: its gradient is one matrix, too.
    leaf = _matrix([log_probs[label] for label in rollouts.index]).requires_grad_()
    mask = _matrix([torch.ones_like(log_probs[label]) for label in rollouts.index])
    under = Completed(leaf, _matrix([reference[label] for label in rollouts.index]), mask, list(rollouts.index))
    if hasattr(method, "token_loss"):
        loss, units = _of_tokens(method, options, job, rollouts, under)
    elif hasattr(method, "pair_loss"):
        loss, units = _of_pairs(method, options, job, rollouts, under)
    elif hasattr(method, "row_loss"):
        loss, units = _of_rows(method, options, rollouts, under)
    else:
        raise InputError(f"{job.run}: a method is audited through its token_loss, pair_loss or row_loss; write one")
    if not torch.isfinite(loss):
        raise InputError(f"{job.run}: the loss is not finite at this point; no gradient can be told from it")
    (gradient,) = torch.autograd.grad(loss, leaf)
    asked = gradient.any(dim=1)
    if not asked.any():
        raise InputError(f"{job.run}: the loss has no gradient at this point; nothing can be told from it")
    lengths = mask.sum(dim=1).int()
    found = {label: gradient[row, : lengths[row]] for row, label in enumerate(rollouts.index) if asked[row]}
    return Coefficients(found, units)


def _of_tokens(method, options, job, rollouts, rows: Completed) -> tuple[torch.Tensor, int]:
    """Return the summed loss, and the number of rows."""
    selected = method.select(rollouts, options, job)
    job.require(len(selected), "its select leaves no rollout")
    places = rows.places(selected.index)
    weight = torch.tensor(selected.weight.to_numpy(), dtype=torch.float64)[:, None]
    mask = rows.mask[places]
    tokens = Tokens(rows.log_probs[places], mask, weight, rows.reference[places])
    return (method.token_loss(tokens, options) * mask).sum(), len(places)


def _of_pairs(method, options, job, rollouts, rows: Completed) -> tuple[torch.Tensor, int]:
    pairs = preference_pairs(rollouts, options.pairs)
    job.require(len(pairs), "no prompt has both a right and a wrong rollout")
    sides = [rows.places(side) for side in zip(*pairs, strict=True)]
    values = [matrix.sum(dim=1)[side] for matrix in (rows.log_probs, rows.reference, rows.mask) for side in sides]
    return method.pair_loss(Pairs(*values), options).sum(), len(pairs)


def _of_rows(method, options, rollouts, rows: Completed) -> tuple[torch.Tensor, int]:
    right = torch.tensor((rollouts.reward > 0).to_numpy(), dtype=torch.float64)
    whole = Completions(rows.log_probs.sum(dim=1), rows.reference.sum(dim=1), right)
    return method.row_loss(whole, options).sum(), len(rollouts)


def _matrix(rows: list[torch.Tensor]) -> torch.Tensor:
    """Return rows of any length as one matrix, padded with zeros on the right."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
