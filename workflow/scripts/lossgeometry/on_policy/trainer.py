"""TRL's GRPO trainer on batches that were sampled elsewhere."""

import torch
from trl import GRPOTrainer
from trl.models.utils import disable_gradient_checkpointing

from lossgeometry.on_policy.groups import Batch
from lossgeometry.on_policy.mismatch import corrected, log_ratio, statistics
from lossgeometry.settings.on_policy import OnPolicy
from lossgeometry.training.trainer import ResumableTrainer


class OnPolicyTrainer(ResumableTrainer, GRPOTrainer):
    """TRL's GRPO trainer on batches that `train.Rollouts` makes, which leaves each in `sampled_batch`."""

    sampled_batch: Batch | None = None

    def __init__(self, *args, options: OnPolicy, **kwargs):
        super().__init__(*args, **kwargs)
        self.options, self.mismatch = options, dict[str, float]()
        self.completion_tokens: torch.Tensor | int = 0

    def _get_train_sampler(self, dataset=None):
        """Let TRL repeat the prompts; their order is that of the dataset."""
        return GRPOTrainer._get_train_sampler(self, dataset)

    def _generate_and_score_completions(self, inputs):
        """Give groups that are not mixed no advantage, whatever their lengths, and take account of the sampler's probabilities."""
        output = super()._generate_and_score_completions(inputs)
        assert self.sampled_batch, "TRL samples before it scores"
        contrast = [group.mixed for group in self.sampled_batch.groups for _ in group.completion_ids]
        output["advantages"] = output["advantages"] * torch.tensor(contrast, device=output["advantages"].device)
        if "sampling_per_token_logps" in output:
            own = output["old_per_token_logps"] if "old_per_token_logps" in output else self._own_log_probs(output)
            ratio = log_ratio(own, output.pop("sampling_per_token_logps"))
            self.mismatch = statistics(ratio, output["completion_mask"], self.options.mismatch_bound)
            output["old_per_token_logps"], output["advantages"] = corrected(
                own, output["advantages"], ratio, self.options.mismatch, self.options.mismatch_bound
            )
        return output

    def _compute_loss(self, model, inputs):
        self.completion_tokens = self.completion_tokens + inputs["completion_mask"].sum()
        prompt, completion = inputs["prompt_mask"], inputs["completion_mask"]
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        self.measure(
            ids, torch.cat([prompt, completion], dim=1), torch.cat([torch.zeros_like(prompt), completion], dim=1)
        )
        return super()._compute_loss(model, inputs)

    def _own_log_probs(self, output: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the log-probabilities of the completions under the policy as it is, (rows, length)."""
        ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
        mask = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)
        length = output["completion_ids"].shape[1]
        with torch.no_grad(), disable_gradient_checkpointing(self.model, self.args.gradient_checkpointing_kwargs):
            return self._get_per_token_logps_and_entropies(
                self.model, ids, mask, length, self.args.per_device_train_batch_size
            )[0]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the step saw, and what the sampling of its batch found."""
        if "loss" in logs:
            logs["completion_tokens"], self.completion_tokens = int(self.completion_tokens), 0
        if "loss" in logs and self.sampled_batch is not None:
            batch, self.sampled_batch = self.sampled_batch, None
            correct = [right for group in batch.groups for right in group.correct]
            logs["correct"] = sum(correct) / len(correct)
            logs["groups_uniform"] = sum(not group.mixed for group in batch.groups) / len(batch.groups)
            logs["groups_uniform_sampled"] = 1 - batch.sampled_mixed / batch.sampled
            logs["refill_rate"] = batch.refill_rate
            logs |= self.mismatch
        super().log(logs, start_time)
