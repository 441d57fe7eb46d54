"""Training on single rollouts that are desirable or not, with TRL's KTO trainer."""

from typing import Any

import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from lossgeometry.training.examples import IGNORED, in_training_order, labelled_rows, read_rollouts
from lossgeometry.training.micro_batches import MicroBatchTrainer
from lossgeometry.training.results import finish
from lossgeometry.training.setup import common_arguments, kept_reference, load_tokenizer, micro_batch, offline_model
from lossgeometry.training.trainer import train_resumably
from lossgeometry.training.training_job import TrainingJob

# Column of training.csv: key of TRL's log. A step without a wrong rollout has no value for `rejected`.
SIGNALS = {
    "log_prob_chosen": "logps/chosen",
    "log_prob_rejected": "logps/rejected",
    "reward_chosen": "rewards/chosen",
    "reward_rejected": "rewards/rejected",
    "margin": "rewards/margins",
    "reference_point": "kl",
}


class UnpairedTrainer(MicroBatchTrainer, KTOTrainer):
    """TRL's KTO trainer on rows that are tokenised and in their order, with one reference point per optimiser batch.

    TRL estimates the reference point z on each micro-batch, so that the loss would depend on how a batch is split.
    """

    reference_point: torch.Tensor

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        return self.with_reference(dataset, ("ref_logps", "ref_KL_logps"))

    def metric_weight(self, key, part):
        """Return the rows that a mean over correct, over wrong or over all rows is taken of."""
        chosen = int(self.accelerator.gather(part["label"]).sum())
        rows = len(part["label"]) * self.accelerator.num_processes
        return chosen if key.endswith("/chosen") else rows - chosen if key.endswith("/rejected") else rows

    def log(self, logs, start_time=None):
        """Add the step's tokens, and take the margin between its means: TRL has it only in micro-batches of rows of both kinds."""
        if "loss" in logs:
            size = self.args.per_device_train_batch_size * self.accelerator.num_processes
            last = self.state.global_step * size
            logs["completion_tokens"] = sum(map(len, self.train_dataset[last - size : last]["completion_ids"]))
        metrics = self._metrics["train"]
        sides = [metrics[f"rewards/{side}"] for side in ("chosen", "rejected") if metrics.get(f"rewards/{side}")]
        if len(sides) == 2:
            chosen, rejected = (sum(values) / len(values) for values in sides)
            metrics["rewards/margins"] = [chosen - rejected]
        super().log(logs, start_time)

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """Estimate the reference point on all micro-batches of the coming step."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        gaps = [
            KTOTrainer._compute_kl_logps(self, self.model, part) - part["ref_KL_logps"]
            for batch in map(self._prepare_inputs, batches)
            for part in self.split(batch, "KL_")
        ]
        if gaps:
            self.reference_point = torch.cat(gaps).mean()
        return batches, items

    def _compute_kl_logps(self, model, batch):
        """Return log-probabilities whose mean gap to the reference's is the step's reference point."""
        return batch["ref_KL_logps"] + self.reference_point


def unpaired_rows(ordered: Dataset, batch_size: int) -> Dataset:
    """Return (prompt_ids, completion_ids, KL_completion_ids, label) of rows in training order.

    The mismatched completion of a row is that of the row before it in its optimiser batch, and the last one's for the
    first.
    """
    prompts, completions = [], []
    for row in ordered:
        split = sum(label == IGNORED for label in row["labels"])
        prompts.append(row["input_ids"][:split])
        completions.append(row["input_ids"][split:])
    mismatched = []
    for start in range(0, len(completions), batch_size):
        batch = completions[start : start + batch_size]
        mismatched += batch[-1:] + batch[:-1]
    labels = [reward > 0 for reward in ordered["reward"]]
    return Dataset.from_dict(
        {"prompt_ids": prompts, "completion_ids": completions, "KL_completion_ids": mismatched, "label": labels}
    )


def make_unpaired_trainer(job: TrainingJob, options: Any, rows: Dataset, tokenizer) -> UnpairedTrainer:
    """Return the trainer of rows from `unpaired_rows`."""
    arguments = KTOConfig(
        max_length=None,
        beta=options.beta,
        desirable_weight=options.desirable_weight,
        undesirable_weight=options.undesirable_weight,
        precompute_ref_log_probs=True,
        **common_arguments(job),
    )
    return UnpairedTrainer(
        model=offline_model(job),
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        micro_batch=micro_batch(job),
        reference=kept_reference(job),
    )


def train_unpaired(job: TrainingJob, options: Any) -> None:
    """Train one adapter with KTO on all rollouts and write it."""
    tokenizer = load_tokenizer(job)
    rows = labelled_rows(read_rollouts(job).assign(weight=1.0), job)
    ordered = in_training_order(rows, job)
    trainer = make_unpaired_trainer(job, options, unpaired_rows(ordered, job.training.batch_size), tokenizer)
    sequences = [(len(ids),) for ids in ordered["input_ids"]]
    finish(job, trainer, train_resumably(trainer, job), sequences, len(rows), SIGNALS)
