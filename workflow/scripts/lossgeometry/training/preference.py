"""Training on preference pairs, with TRL's DPO trainer."""

from collections.abc import Callable, Mapping
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from lossgeometry.training.examples import read_rollouts
from lossgeometry.training.micro_batches import MicroBatchTrainer
from lossgeometry.training.order import training_order
from lossgeometry.training.pairing import PairRule, preference_pairs
from lossgeometry.training.results import finish
from lossgeometry.training.setup import common_arguments, kept_reference, load_tokenizer, micro_batch, offline_model
from lossgeometry.training.tokens import with_tokens
from lossgeometry.training.trainer import train_resumably
from lossgeometry.training.training_job import TrainingJob

# Column of training.csv: key of TRL's log. Both log-probabilities are there because a growing margin may hide that the
# chosen completion becomes less likely too.
SIGNALS = {
    "log_prob_chosen": "logps/chosen",
    "log_prob_rejected": "logps/rejected",
    "reward_chosen": "rewards/chosen",
    "reward_rejected": "rewards/rejected",
    "margin": "rewards/margins",
    "pairs_ranked_right": "rewards/accuracies",
    "length_chosen": "length_chosen",
    "length_rejected": "length_rejected",
}


class PreferenceTrainer(MicroBatchTrainer, DPOTrainer):
    """TRL's DPO trainer on pairs that are tokenised already, with the reference's log-probabilities computed once per
    pair."""

    sides = 2

    def __init__(self, *args, order: list[int], **kwargs):
        self.order = order
        super().__init__(*args, **kwargs)

    def _prepare_dataset(self, dataset, processing_class, args, dataset_name):
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        """Compute them on the distinct pairs, then lay the pairs out in training order."""
        return self.with_reference(dataset, ("ref_chosen_logps", "ref_rejected_logps")).select(self.order)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean lengths of this step's completions."""
        if "loss" in logs:
            size = self.args.per_device_train_batch_size * self.accelerator.num_processes
            last = self.state.global_step * size
            batch = self.train_dataset[last - size : last]
            for side in ("chosen", "rejected"):
                logs[f"length_{side}"] = sum(map(len, batch[f"{side}_ids"])) / size
            logs["completion_tokens"] = round(size * (logs["length_chosen"] + logs["length_rejected"]))
        super().log(logs, start_time)


def training_pairs(job: TrainingJob, rule: PairRule) -> Dataset:
    """Return (prompt_ids, chosen_ids, rejected_ids, key) per pair; pairs with a row beyond `max_length` are left out.

    Raises
    ------
    InputError
        If no group has both a correct and a wrong rollout.
    """
    rollouts = read_rollouts(job)
    pairs = preference_pairs(rollouts, rule)
    job.require(
        len(pairs),
        "no prompt has both a correct and a wrong rollout; raise rollouts.sampling.temperature or drop the method",
    )
    paired = rollouts.prompt_id[[winner for winner, _ in pairs]].nunique()
    job.skip("prompts without a pair", rollouts.prompt_id.nunique() - paired)
    tokens = with_tokens(rollouts.loc[sorted({row for pair in pairs for row in pair})], job)
    records, truncated = [], 0
    for winner, loser in pairs:
        prompt, sides = tokens.prompt_ids[winner], [tokens.completion_ids[row] for row in (winner, loser)]
        if len(prompt) + max(map(len, sides)) <= job.training.max_length:
            key = f"{rollouts.prompt_id[winner]}/{rollouts['sample'][winner]}/{rollouts['sample'][loser]}"
            truncated += "length" in (rollouts.finish_reason[winner], rollouts.finish_reason[loser])
            records.append({"prompt_ids": prompt, "chosen_ids": sides[0], "rejected_ids": sides[1], "key": key})
    job.count("pairs", len(records))
    job.count("pairs with a completion cut by the token budget, which ends without an end token", truncated)
    job.skip(f"pairs longer than max_length {job.training.max_length}", len(pairs) - len(records))
    job.require(len(records), f"all pairs are longer than training.max_length {job.training.max_length}; raise it")
    return Dataset.from_list(records)


def make_preference_trainer(
    job: TrainingJob,
    pairs: Dataset,
    tokenizer,
    arguments: Mapping[str, Any],
    trainer_class: Callable[..., PreferenceTrainer] = PreferenceTrainer,
) -> PreferenceTrainer:
    """Return the trainer; `arguments` are the loss's own, as TRL's DPOConfig names them."""
    return trainer_class(
        model=offline_model(job),
        args=DPOConfig(max_length=None, precompute_ref_log_probs=True, **arguments, **common_arguments(job)),
        train_dataset=pairs,
        processing_class=tokenizer,
        order=training_order(pairs["key"], job.row_count, job.order_seed),
        micro_batch=micro_batch(job),
        reference=kept_reference(job),
    )


def train_preference(
    job: TrainingJob,
    rule: PairRule,
    arguments: Mapping[str, Any],
    trainer_class: Callable[..., PreferenceTrainer] = PreferenceTrainer,
) -> None:
    """Train one adapter on preference pairs and write it."""
    tokenizer = load_tokenizer(job)
    pairs = training_pairs(job, rule)
    trainer = make_preference_trainer(job, pairs, tokenizer, arguments, trainer_class)
    sequences = [
        tuple(len(row["prompt_ids"]) + len(row[f"{side}_ids"]) for side in ("chosen", "rejected"))
        for row in trainer.train_dataset
    ]
    finish(job, trainer, train_resumably(trainer, job), sequences, len(pairs), SIGNALS)
