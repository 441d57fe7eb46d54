"""The trainer and the sampler compute the same policy with different kernels: how far they are apart, and what is done."""

import math
from typing import Literal

import torch

Mismatch = Literal["ppo", "truncated", "none"]


def log_ratio(own: torch.Tensor, sampled: torch.Tensor) -> torch.Tensor:
    """Return log(trainer / sampler) per token, (rows, length) in float32; 0 where a side does not know its own."""
    return torch.nan_to_num(own.float() - sampled.float(), nan=0.0)


def corrected(
    own: torch.Tensor, advantages: torch.Tensor, ratio: torch.Tensor, kind: Mismatch, bound: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probabilities that the clipped ratio is taken to, (rows, length), and the advantages.

    The ratio of trainer to sampler counts within [1/bound, bound]: beyond, one token would outweigh all others.

    Parameters
    ----------
    own
        Log-probabilities under the trainer at sampling time, (rows, length).
    advantages
        Of the completions, (rows,); for `truncated` they return as (rows, length).
    ratio
        From `log_ratio`.
    kind
        See `OnPolicy.mismatch`.
    """
    limit = math.log(bound)
    bounded = ratio.clamp(-limit, limit)
    if kind == "ppo":
        return own - bounded, advantages
    if kind == "truncated":
        return own, advantages[:, None] * bounded.exp()
    return own, advantages


def statistics(ratio: torch.Tensor, mask: torch.Tensor, bound: float) -> dict[str, float]:
    """Return what `training.csv` says of the mismatch; over the tokens in the mask, in float64.

    Mean and largest of |log ratio|; the k3 estimate of KL(sampler || trainer); the effective sample size of the ratios as a
    share of the tokens; the share of tokens beyond the bound.
    """
    values = ratio[mask.bool()].double()
    if not len(values):
        return {}
    weights = values.clamp(max=300.0).exp()
    return {
        "mismatch_mean": values.abs().mean().item(),
        "mismatch_max": values.abs().max().item(),
        "mismatch_k3": (weights - 1 - values).mean().item(),
        "mismatch_ess": (weights.sum() ** 2 / (weights**2).sum() / len(values)).item(),
        "mismatch_bounded": (values.abs() > math.log(bound)).double().mean().item(),
    }
