"""On-policy training with TRL's GRPO trainer: Online GRPO and DAPO."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset
from trl import GRPOConfig

from lossgeometry.generation.requests import SAMPLED, Request, sample_seed
from lossgeometry.generation.templating import prompt_token_ids
from lossgeometry.grading.grader import Answer, Grader
from lossgeometry.on_policy.dapo import Dapo
from lossgeometry.on_policy.groups import Batch, Group, fill_batch, spare_prompts
from lossgeometry.on_policy.samplers import Sample, TransformersSampler, VllmSampler
from lossgeometry.on_policy.trainer import OnPolicyTrainer
from lossgeometry.settings.on_policy import OnPolicy
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.training.order import training_order
from lossgeometry.training.results import write_adapter, write_training_csv
from lossgeometry.training.setup import accumulating_arguments, load_tokenizer, load_trainable_model
from lossgeometry.training.trainer import train_resumably
from lossgeometry.training.training_job import TrainingJob

# Column of training.csv: key of TRL's log, or of `OnPolicyTrainer.log`. Sampling's are NaN on steps that reuse a batch.
SIGNALS = {
    "reward_mean": "reward",
    "reward_std": "reward_std",
    "correct": "correct",
    "length": "completions/mean_length",
    "truncated": "completions/clipped_ratio",
    "clipped_low": "clip_ratio/low_mean",
    "clipped_high": "clip_ratio/high_mean",
    "kl": "kl",
    "groups_uniform": "groups_uniform",
    "groups_uniform_sampled": "groups_uniform_sampled",
    "refill_rate": "refill_rate",
    "mismatch_mean": "mismatch_mean",
    "mismatch_max": "mismatch_max",
    "mismatch_k3": "mismatch_k3",
    "mismatch_ess": "mismatch_ess",
    "mismatch_bounded": "mismatch_bounded",
}


class Rollouts:
    """Samples, grades and refills the batches of one run: TRL's `rollout_func`.

    Every draw is a function of the seed, the number of the generated batch, the prompt and the sample, and of the
    weights: there is no state that a resumed run would lack.
    """

    def __init__(
        self,
        job: TrainingJob,
        options: OnPolicy,
        sampler: TransformersSampler | VllmSampler,
        prompts: Mapping[str, list[int]],
        grader: Grader,
        dapo: Dapo | None = None,
    ):
        self.job, self.options, self.sampler, self.prompts, self.grader = job, options, sampler, prompts, grader
        self.dapo = dapo

    def __call__(self, prompts: Sequence[str], trainer: OnPolicyTrainer) -> dict[str, list]:
        """Return TRL's columns for a batch whose prompts, given by their ids, stand `generations` times each."""
        wanted = list(prompts)[:: self.options.generations]
        generation = trainer.state.global_step // self.options.updates_per_generation
        model = trainer.accelerator.unwrap_model(trainer.model)

        def sample(names: Sequence[str]) -> list[Group]:
            trainer.stop_if_asked()
            return self.sample_groups(names, model, generation)

        if self.dapo:
            spares = spare_prompts(self.prompts, wanted, self.job.order_seed, generation)
            batch = fill_batch(wanted, spares, sample, self.dapo.oversampling, self.dapo.max_rounds)
            self.dapo.require_progress(batch, trainer.state.log_history)
        else:
            groups = sample(wanted)
            batch = Batch(groups, len(groups), sum(group.mixed for group in groups))
        trainer.sampled_batch, groups = batch, batch.groups
        columns: dict[str, Any] = {
            "prompt_ids": [group.prompt_ids for group in groups for _ in group.completion_ids],
            "completion_ids": [ids for group in groups for ids in group.completion_ids],
            "logprobs": None,
            "graded": [reward for group in groups for reward in group.rewards],
        }
        if groups[0].log_probs is not None:
            columns["logprobs"] = [values for group in groups for values in group.log_probs or []]
        return columns

    def sample_groups(self, names: Sequence[str], model, generation: int) -> list[Group]:
        """Return the graded group of each prompt."""
        size, seed = self.options.generations, self.job.order_seed
        requests = [
            Request(name, number, "", SAMPLED, sample_seed(seed, f"{generation}/{name}", number))
            for name in names
            for number in range(size)
        ]
        samples = self.sampler.sample(model, requests, [self.prompts[request.problem_id] for request in requests])
        answers = (self._answer(request, sample) for request, sample in zip(requests, samples, strict=True))
        correct = [verdict.correct for verdict in self.grader.grade(answers)]
        lengths = [len(sample.completion_ids) for sample in samples]
        rewards = list(map(float, correct))
        if self.dapo:
            rewards = self.dapo.rewards(correct, lengths, self.options.max_new_tokens)
        groups = []
        for place, name in enumerate(names):
            rows = slice(place * size, (place + 1) * size)
            ids = [sample.completion_ids for sample in samples[rows]]
            log_probs = [sample.log_probs for sample in samples[rows] if sample.log_probs is not None] or None
            groups.append(Group(name, self.prompts[name], ids, correct[rows], rewards[rows], log_probs))
        return groups

    def _answer(self, request: Request, sample: Sample) -> Answer:
        completion = self.sampler.tokens.completion(request, sample.completion_ids)
        gold = self.job.prompts[request.problem_id]["answer"]
        return Answer(gold, completion.completion, completion.finish_reason)


def graded_reward(completions: Sequence, graded: Sequence[float], **_: Any) -> list[float]:
    """Return the rewards that came with the completions: `Rollouts` has to grade them before the batch is full."""
    return list(graded)


def tokenize_prompts(job: TrainingJob, options: OnPolicy, tokenizer) -> dict[str, list[int]]:
    """Return the prompts' token ids; those that leave no room for the token budget are left out and counted."""
    prompts = {name: prompt_token_ids(tokenizer, job.problem_of(name), job.prompt_suffix) for name in job.prompts}
    room = job.training.max_length - options.max_new_tokens
    kept = {name: ids for name, ids in prompts.items() if len(ids) <= room}
    job.count("prompts", len(kept))
    job.skip(f"longer than max_length {job.training.max_length} with a completion", len(prompts) - len(kept))
    job.require(len(kept), f"no prompt fits; raise training.max_length above {job.training.max_length}")
    return kept


def make_on_policy_trainer(
    job: TrainingJob, options: OnPolicy, rollouts: Rollouts, loss: Mapping[str, Any]
) -> OnPolicyTrainer:
    """Return the trainer; `loss` are the arguments of TRL's GRPOConfig that define the objective."""
    training = job.training
    updates = options.updates_per_generation
    # The share of the GPU that vLLM leaves to the trainer.
    common = accumulating_arguments(job, 1 - options.gpu_memory_utilization * (options.engine == "vllm"))
    accumulation = common["gradient_accumulation_steps"]
    save_steps = math.ceil(training.checkpoint_every / updates) * updates
    arguments = GRPOConfig(
        **common | {"save_steps": save_steps},
        **loss,
        num_generations=options.generations,
        max_completion_length=options.max_new_tokens,
        temperature=options.temperature,
        steps_per_generation=accumulation * updates,
        epsilon=options.epsilon_low,
        epsilon_high=options.epsilon_high,
        scale_rewards="group",
        use_bias_correction_kl=False,  # the penalty of arXiv 2402.03300; TRL would multiply it by the ratio
        mask_truncated_completions=options.mask_truncated,
        shuffle_dataset=False,
    )
    count = math.ceil(training.steps / updates) * updates * training.batch_size // options.generations
    names = list(rollouts.prompts)
    order = training_order(names, count, job.order_seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are using 'rollout_func'")
        trainer = OnPolicyTrainer(
            model=load_trainable_model(job),
            reward_funcs=graded_reward,
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": [names[place] for place in order]}),
            processing_class=rollouts.sampler.tokens.tokenizer,
            rollout_func=rollouts,
            options=options,
        )
    trainer.safe_every = updates
    return trainer


def make_sampler(job: TrainingJob, options: OnPolicy) -> TransformersSampler | VllmSampler:
    """Return the sampler that the options name."""
    sampling = Sampling(temperature=options.temperature, top_p=1.0, top_k=0, max_new_tokens=options.max_new_tokens)
    if options.engine == "vllm":
        return VllmSampler(job, sampling, options.gpu_memory_utilization)
    return TransformersSampler(job, sampling, chunk=max(job.training.batch_size, 256))


def train_on_policy(job: TrainingJob, options: OnPolicy, loss: Mapping[str, Any], dapo: Dapo | None = None) -> None:
    """Train one adapter on its own completions and write it.

    Parameters
    ----------
    loss
        The objective, as arguments of TRL's GRPOConfig.
    dapo
        Its reward and its dynamic sampling; None for a reward of 1 or 0 and the prompts as they come.
    """
    prompts = tokenize_prompts(job, options, load_tokenizer(job))
    with Grader(workers=1, **job.reward) as grader:
        sampler = make_sampler(job, options)
        rollouts = Rollouts(job, options, sampler, prompts, grader, dapo)
        trainer = make_on_policy_trainer(job, options, rollouts, loss)
        log = train_resumably(trainer, job)
    empty = sum(entry.get("groups_uniform") == 1 for entry in log)
    job.count("generated batches without a mixed group, whose steps have no gradient", empty)
    steps = sequences_seen(log, job.training.batch_size, options.updates_per_generation)
    write_training_csv(job, without_nones(log), steps, len(prompts) * options.generations, SIGNALS)
    write_adapter(job, trainer.accelerator.unwrap_model(trainer.model))


def without_nones(log: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the log with NaN where TRL writes None for a mean over nothing."""
    return [{key: math.nan if value is None else value for key, value in entry.items()} for entry in log]


def sequences_seen(log: Sequence[Mapping[str, Any]], size: int, updates: int) -> list[list[int]]:
    """Return the lengths of the sequences that each step is taken on, prompts included.

    Every `updates` steps share one generated batch, each `size` sequences of it; all of one batch are taken for alike, since the
    log gives their sum. Refused groups are not counted.
    """
    steps, total, sequences = [], 0, size * updates
    for start in range(0, len(log), updates):
        tokens = int(log[start].get("num_tokens", total)) - total
        total += tokens
        lengths = [(tokens + place) // sequences for place in range(sequences)]
        steps += [lengths[first : first + size] for first in range(0, sequences, size)]
    return steps[: len(log)]
