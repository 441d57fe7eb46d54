"""For tests of training: a small student, graded rollouts of four problems, and log-probabilities by hand."""

import gc
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from peft import PeftModel
from small_models import small_model
from transformers import AutoModelForCausalLM

from lossgeometry.experiment.config import method_module
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.methods import __path__ as METHODS_PATH
from lossgeometry.settings.training import Lora, Training
from lossgeometry.students.tokenizer import train_tokenizer
from lossgeometry.training.initialisation import initialise
from lossgeometry.training.training_job import TrainingJob

METHODS = sorted(path.stem for path in Path(METHODS_PATH[0]).glob("[a-z]*.py"))

PROBLEMS = [
    {"id": "p0", "problem": "Ann has 3 pens and buys 4. How many pens?", "answer": "7"},
    {"id": "p1", "problem": "Bob has 10 cards and gives away 8. How many are left?", "answer": "2"},
    {"id": "p2", "problem": "Cy doubles 6.", "answer": "12"},
    {"id": "p3", "problem": "Dan shares 9 apples among 3 friends. How many each?", "answer": "3"},
]
# Two mixed groups, one all right, one all wrong.
REWARDS = {"p0": [1, 0, 1, 1], "p1": [1, 1, 1, 1], "p2": [0, 0, 0, 0], "p3": [0, 1, 0, 0]}
torch.set_num_threads(1)
# Every Trainer collects garbage, and would look through all that the imports left.
gc.freeze()

DIGESTS = itertools.count()
OPENINGS = ("So", "First we count, then", "Quick:", "Carefully, step by step:")


@dataclass
class World:
    """The files that a training job reads."""

    folder: Path
    tokenizer: object
    student: Path
    initialisation: Path
    prompts: Path
    rollouts: Path
    frame: pd.DataFrame = field(repr=False)

    def job(self, **changes) -> TrainingJob:
        """Return a job of one step; `changes` are fields of it or of its settings."""
        settings = {name: changes.pop(name) for name in list(changes) if name in Training.model_fields}
        defaults = {"steps": 1, "batch_size": 16, "micro_batch_size": 16, "warmup_ratio": 0.0, "max_length": 128}
        name = changes.setdefault("run", "run")
        output = self.folder / "results" / "adapters" / name
        output.mkdir(parents=True, exist_ok=True)
        values = {
            "learning_rate": 1e-3,
            "order_seed": 1,
            "training": Training(**defaults | settings),
            "prompt_suffix": "",
            "student": self.student,
            "initialisation": self.initialisation,
            "prompts": {row["id"]: row for row in PROBLEMS},
            "rollouts": self.rollouts,
            "output": output,
            "checkpoints": self.folder / "results" / ".checkpoints" / name,
            "digest": f"d{next(DIGESTS)}",  # no job continues the checkpoints of another
            "reward": {"deadline_seconds": 5.0},
        }
        return TrainingJob(**values | changes)

    def with_rollouts(self, frame: pd.DataFrame, name: str, **changes) -> TrainingJob:
        """Return a job on other rollouts."""
        path = self.folder / f"{name}.parquet"
        frame.to_parquet(path)
        return self.job(rollouts=path, run=name, **changes)


def build_world(folder: Path) -> World:
    """Write the student, its initial adapter, the prompts and the rollouts below a folder."""
    answers = "the answer is \\boxed{7} \\boxed{2} \\boxed{12} \\boxed{3} \\boxed{99}"
    tokenizer = train_tokenizer([row["problem"] for row in PROBLEMS] + [*OPENINGS, answers] * 3, 400)
    model = small_model(vocabulary=len(tokenizer))
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder / "student")
    tokenizer.save_pretrained(folder / "student")
    (folder / "initialisation").mkdir()
    initialise(folder / "student", Lora(rank=4, alpha=8), 42, folder / "initialisation")
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    rows = []
    for problem in PROBLEMS:
        for sample, reward in enumerate(REWARDS[problem["id"]]):
            answer = problem["answer"] if reward else "99"
            text = f"{OPENINGS[sample]} the answer is \\boxed{{{answer}}}"
            reason = "length" if (problem["id"], sample) == ("p2", 1) else "stop"
            rows.append((problem["id"], sample, text, reason, float(reward)))
    frame = pd.DataFrame(rows, columns=["prompt_id", "sample", "completion", "finish_reason", "reward"])
    frame.to_parquet(folder / "rollouts.parquet")
    return World(
        folder,
        tokenizer,
        folder / "student",
        folder / "initialisation",
        folder / "prompts.jsonl",
        folder / "rollouts.parquet",
        frame,
    )


def disturb(model: PeftModel, seed: int = 5) -> None:
    """Give every B random values, so that the policy is not the base and no loss is at a special point."""
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if ".lora_B.default" in name:
                parameter.copy_(torch.from_numpy(generator.normal(size=tuple(parameter.shape)) * 0.1))


class ByHand:
    """Log-probabilities of single completions without padding, under float64 weights; gradients flow to the adapter."""

    def __init__(self, world: World):
        self.world = world
        base = AutoModelForCausalLM.from_pretrained(world.student, dtype=torch.float64)
        model = PeftModel.from_pretrained(base, world.initialisation, is_trainable=True, autocast_adapter_dtype=False)
        self.model = model.double().eval()
        disturb(self.model)
        self.problems = {row["id"]: row["problem"] for row in PROBLEMS}

    def log_probs(self, prompt_id: str, completion: str, finished: bool = True, base: bool = False) -> torch.Tensor:
        """Return log p of each token of a completion, (tokens,), under the policy or the base."""
        ids = completion_token_ids(self.world.tokenizer, completion, finished)
        return self.of_tokens(prompt_token_ids(self.world.tokenizer, self.problems[prompt_id], ""), ids, base)

    def of_tokens(self, prompt: list[int], completion: list[int], base: bool = False, temperature: float = 1.0):
        """Return log p of each token of a tokenised completion."""
        tokens = torch.tensor([prompt + completion])
        if base:
            with torch.no_grad(), self.model.disable_adapter():
                logits = self.model(tokens).logits[0]
        else:
            logits = self.model(tokens).logits[0]
        scores = torch.log_softmax(logits[len(prompt) - 1 : -1] / temperature, dim=-1)
        return scores.gather(1, torch.tensor(completion)[:, None])[:, 0]

    def divergences(self, prompt_id: str, completion: str, finished: bool = True) -> torch.Tensor:
        """Return KL(policy || base) before each token of a completion, (tokens,)."""
        ids = completion_token_ids(self.world.tokenizer, completion, finished)
        prompt = prompt_token_ids(self.world.tokenizer, self.problems[prompt_id], "")
        tokens = torch.tensor([prompt + ids])
        with torch.no_grad():
            policy = self.model(tokens).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            with self.model.disable_adapter():
                base = self.model(tokens).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        return (policy.exp() * (policy - base)).sum(-1)

    def gradient_norm(self, loss: torch.Tensor) -> float:
        """Return the norm of the gradient with respect to all A and B."""
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        gradients = torch.autograd.grad(loss, parameters)
        return sum((gradient**2).sum().item() for gradient in gradients) ** 0.5


class Captured(Exception):
    """Carries a trainer out of a run at step 0."""


def at_step_zero(monkeypatch, job, method, **options):
    """Return the trainer that a method would train with, before its first step."""
    from lossgeometry.on_policy import train as on_policy
    from lossgeometry.training import preference, token_loss, unpaired

    def capture(trainer, job):
        raise Captured(trainer)

    for module in (token_loss, preference, unpaired, on_policy):
        monkeypatch.setattr(module, "train_resumably", capture)
    with pytest.raises(Captured) as captured:
        method_module(method).train(job, method_module(method).Options(**options))
    return captured.value.args[0]


def on_policy_options(method):
    return {} if method_module(method).OFFLINE else {"generations": 4, "max_new_tokens": 16}
