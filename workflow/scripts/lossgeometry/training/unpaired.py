"""Training on single rollouts that are desirable or not, with TRL's KTO trainer."""

import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer

from lossgeometry.settings.block import Block
from lossgeometry.training.job import TrainingJob
from lossgeometry.training.results import write_adapter, write_training_csv
from lossgeometry.training.resumable import ResumableTrainer, train_resumably
from lossgeometry.training.rows import IGNORED, cumulative_tokens, in_training_order, read_rollouts, tokenize_rows
from lossgeometry.training.setup import common_arguments, load_tokenizer, load_trainable_model

# Column of training.csv: key of TRL's log. A step without a wrong rollout has no value for `rejected`.
SIGNALS = {
    "log_prob_chosen": "logps/chosen",
    "log_prob_rejected": "logps/rejected",
    "reward_chosen": "rewards/chosen",
    "reward_rejected": "rewards/rejected",
    "margin": "rewards/margins",
    "reference_point": "kl",
}


class UnpairedTrainer(ResumableTrainer, KTOTrainer):
    """TRL's KTO trainer on rows that are tokenised and in their order, with one reference point per optimiser batch.

    TRL estimates the reference point z on each micro-batch, so that the loss would depend on how a batch is split.
    """

    reference_point: torch.Tensor

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        return dataset

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """Estimate the reference point on all micro-batches of the coming step."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        gaps = [
            KTOTrainer._compute_kl_logps(self, self.model, batch) - batch["ref_KL_logps"]
            for batch in map(self._prepare_inputs, batches)
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


def make_unpaired_trainer(job: TrainingJob, options: Block, rows: Dataset, tokenizer) -> UnpairedTrainer:
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
        model=load_trainable_model(job), args=arguments, train_dataset=rows, processing_class=tokenizer
    )


def train_unpaired(job: TrainingJob, options: Block) -> None:
    """Train one adapter with KTO on all rollouts and write it."""
    tokenizer = load_tokenizer(job)
    rollouts = read_rollouts(job)
    rows = tokenize_rows(rollouts.assign(weight=1.0), tokenizer, job)
    ordered = in_training_order(rows, job)
    trainer = make_unpaired_trainer(job, options, unpaired_rows(ordered, job.training.batch_size), tokenizer)
    log = train_resumably(trainer, job)
    tokens = cumulative_tokens([len(ids) for ids in ordered["input_ids"]], job.training.batch_size)
    write_training_csv(job, log, tokens, len(rows), SIGNALS)
    write_adapter(job, trainer.accelerator.unwrap_model(trainer.model))
