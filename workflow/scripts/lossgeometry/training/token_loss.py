"""Training on a loss that is a sum over tokens of a function of their log-probabilities.

One trainer serves SFT, RFT, DFT, RIFT and Offline GRPO, so that nothing but the loss differs between them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import add_fused_lm_head

from lossgeometry.training.examples import in_training_order, labelled_rows, read_rollouts
from lossgeometry.training.micro_batches import MicroBatchTrainer
from lossgeometry.training.results import finish
from lossgeometry.training.setup import common_arguments, load_tokenizer, micro_batch, offline_model
from lossgeometry.training.trainer import train_resumably
from lossgeometry.training.training_job import TrainingJob

SIGNALS = ("log_prob_positive", "log_prob_negative", "gradient_share_negative", "loss_share_negative")
SUMS = (
    "log_prob_positive",
    "log_prob_negative",
    "tokens_positive",
    "tokens_negative",
    "pull_negative",
    "pull",
    "loss_negative",
    "loss",
    "entropy",
)


@dataclass(frozen=True)
class Tokens:
    """The completions of a micro-batch, as a loss sees them. All tensors are float32, on the model's device."""

    log_probs: torch.Tensor
    """(rows, length): log p of each token under the model; 0 where `mask` is 0."""
    mask: torch.Tensor
    """(rows, length): 1 on completion tokens, 0 elsewhere."""
    weight: torch.Tensor
    """(rows, 1): the row's weight, given by the method's `select`."""
    reference_log_probs: torch.Tensor | None
    """(rows, length): log p under the base; only for methods that ask for it."""


TokenLoss = Callable[[Tokens, Any], torch.Tensor]
"""(tokens, options) to the loss of each token, (rows, length); positions outside the mask are ignored."""


class _WeightCollator(DataCollatorForLanguageModeling):
    """TRL's collator, which also carries the rows' weights and rewards."""

    def torch_call(self, examples):
        batch = super().torch_call(examples)
        for column in ("weight", "reward"):
            batch[column] = torch.tensor([example[column] for example in examples])
        return batch


class TokenLossTrainer(MicroBatchTrainer, SFTTrainer):
    """TRL's SFT trainer with another loss per token, averaged over the tokens of the whole optimiser batch."""

    mean_over_rows = False

    def __init__(self, *args, token_loss: TokenLoss, options: Any, needs_reference: bool, mean_over: str, **kwargs):
        super().__init__(*args, **kwargs)
        self.mean_over = mean_over
        self.rows_in_batch = self.args.per_device_train_batch_size * self.accelerator.num_processes
        # The one that SFTTrainer adds computes accuracies as well.
        add_fused_lm_head(self.model.get_base_model(), outputs=("log_probs", "entropy"))
        self.token_loss, self.options, self.needs_reference = token_loss, options, needs_reference
        self._sums = torch.zeros(len(SUMS), dtype=torch.float64)

    def _set_signature_columns_if_needed(self):
        self._signature_columns = ["input_ids", "labels", "weight", "reward"]

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Return the summed token losses over `num_items_in_batch`, the tokens of all micro-batches and processes; or the summed
        means of rows over the rows of all of them."""
        weight, reward = inputs.pop("weight")[:, None], inputs.pop("reward")[:, None]
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        reference = None
        if self.needs_reference:
            with torch.no_grad(), self.accelerator.unwrap_model(model).disable_adapter():
                reference = model(**inputs, use_cache=False, fused_lm_head=True).log_probs.float()
        mask = outputs.label_mask.float()
        tokens = Tokens(outputs.log_probs.float(), mask, weight.float(), reference)
        losses = self.token_loss(tokens, self.options) * mask
        self._record(tokens, losses, reward, outputs.entropy)
        if self.mean_over == "rows":
            losses, num_items_in_batch = losses / mask.sum(dim=1, keepdim=True), self.rows_in_batch
        loss = losses.sum() / num_items_in_batch
        # The trainer averages gradients over processes, while num_items_in_batch counts the tokens of all of them.
        return loss * self.accelerator.num_processes

    def _record(self, tokens: Tokens, losses: torch.Tensor, reward: torch.Tensor, entropy: torch.Tensor) -> None:
        """Add this micro-batch to the sums behind the signals."""
        leaf = tokens.log_probs.detach().requires_grad_()
        with torch.enable_grad():
            again = self.token_loss(Tokens(leaf, tokens.mask, tokens.weight, tokens.reference_log_probs), self.options)
            pull = torch.autograd.grad((again * tokens.mask).sum(), leaf)[0].abs()
        negative = tokens.mask * (reward <= 0)
        positive = tokens.mask - negative
        values = (
            tokens.log_probs * positive,
            tokens.log_probs * negative,
            positive,
            negative,
            pull * negative,
            pull * tokens.mask,
            losses.abs() * negative,
            losses.abs(),
            entropy * tokens.mask,
        )
        sums = torch.stack([value.detach().double().sum() for value in values])
        # They stay on the device, which need not wait for the host in every micro-batch.
        self._sums = self._sums.to(sums.device) + sums

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the signals of this optimiser step to its log entry."""
        if "loss" in logs:
            totals = self.accelerator.reduce(self._sums, "sum").tolist()
            sums, self._sums = dict(zip(SUMS, totals, strict=True)), torch.zeros_like(self._sums)

            def ratio(above: str, below: str) -> float:
                return sums[above] / sums[below] if sums[below] else float("nan")

            logs["log_prob_positive"] = ratio("log_prob_positive", "tokens_positive")
            logs["log_prob_negative"] = ratio("log_prob_negative", "tokens_negative")
            logs["gradient_share_negative"] = ratio("pull_negative", "pull")
            logs["loss_share_negative"] = ratio("loss_negative", "loss")
            logs["completion_tokens"] = int(sums["tokens_positive"] + sums["tokens_negative"])
            logs["entropy"] = sums["entropy"] / logs["completion_tokens"]
        super().log(logs, start_time)


def train_token_loss(
    job: TrainingJob, options: Any, select: Callable, token_loss: TokenLoss, needs_reference: bool = False
) -> None:
    """Train one adapter on a per-token loss and write it.

    Parameters
    ----------
    select
        (rollouts, options, job) to the rows to train on, with a column `weight`.
    """
    tokenizer = load_tokenizer(job)
    rows = labelled_rows(select(read_rollouts(job), options, job), job)
    trainer = make_trainer(job, options, in_training_order(rows, job), tokenizer, token_loss, needs_reference)
    sequences = [(len(token_ids),) for token_ids in trainer.train_dataset["input_ids"]]
    finish(job, trainer, train_resumably(trainer, job), sequences, len(rows), {name: name for name in SIGNALS})


def make_trainer(
    job: TrainingJob, options: Any, ordered: Dataset, tokenizer, token_loss: TokenLoss, needs_reference: bool
) -> TokenLossTrainer:
    """Return the trainer of rows that are tokenised and in their order."""
    arguments = SFTConfig(max_length=None, dataset_kwargs={"skip_prepare_dataset": True}, **common_arguments(job))
    return TokenLossTrainer(
        model=offline_model(job),
        args=arguments,
        train_dataset=ordered,
        processing_class=tokenizer,
        data_collator=_WeightCollator(pad_token_id=tokenizer.pad_token_id),
        token_loss=token_loss,
        options=options,
        needs_reference=needs_reference,
        mean_over=job.training.mean_over,
        micro_batch=micro_batch(job),
    )
