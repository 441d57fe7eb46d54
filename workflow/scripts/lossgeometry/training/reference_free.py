"""Training on preference pairs without a reference model: SimPO."""

from functools import partial

import torch
from torch.nn import functional

from lossgeometry.training.pairing import PairRule
from lossgeometry.training.preference import PreferenceTrainer, train_preference
from lossgeometry.training.training_job import TrainingJob


def simpo_loss(mean_chosen: torch.Tensor, mean_rejected: torch.Tensor, beta: float, gamma: float) -> torch.Tensor:
    """Return the loss of each pair, (pairs,), from the mean log-probabilities of its two completions (2405.14734, eq.
    6)."""
    return -functional.logsigmoid(beta * (mean_chosen - mean_rejected) - gamma)


class ReferenceFreeTrainer(PreferenceTrainer):
    """TRL's DPO trainer with SimPO's loss. Its logged rewards are beta times the mean log-probabilities."""

    def __init__(self, *args, gamma: float, **kwargs):
        self.gamma = gamma
        super().__init__(*args, **kwargs)

    def _precompute_ref_logps(self, dataset, name, batch_size):
        """Only lay the pairs out in training order: there is no reference to ask."""
        return dataset.select(self.order)

    def _compute_loss(self, model, inputs, return_outputs):
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=labels,
            use_cache=False,
            fused_lm_head=True,
        )
        totals = outputs.log_probs.sum(dim=1)  # (2 pairs,): the chosen ones first
        means = totals / inputs["completion_mask"].sum(dim=1)
        chosen, rejected = means.chunk(2)
        loss = simpo_loss(chosen, rejected, self.beta, self.gamma).mean()
        margins = self.beta * (chosen - rejected).detach()
        for key, values in {
            "logps/chosen": totals.chunk(2)[0],
            "logps/rejected": totals.chunk(2)[1],
            "rewards/chosen": self.beta * chosen,
            "rewards/rejected": self.beta * rejected,
            "rewards/margins": margins,
            "rewards/accuracies": (margins > 0).float(),
        }.items():
            self._metrics["train"][key].append(values.detach().mean().item())
        return (loss, outputs) if return_outputs else loss


def train_reference_free(job: TrainingJob, rule: PairRule, beta: float, gamma: float) -> None:
    """Train one adapter with SimPO and write it."""
    train_preference(job, rule, {"beta": beta}, partial(ReferenceFreeTrainer, gamma=gamma))
