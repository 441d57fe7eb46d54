"""On-policy sampling with vLLM follows the adapter as it is trained, and tells the probabilities it sampled at."""

from itertools import islice

import numpy as np
import pytest
import torch
from training_tools import disturb

from lossgeometry.generation.requests import SAMPLED, Request
from lossgeometry.generation.templating import prompt_token_ids
from lossgeometry.on_policy.samplers import VllmSampler
from lossgeometry.problems.generated import draw_problems
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.settings.training import Lora, Training
from lossgeometry.training.initialisation import initialise
from lossgeometry.training.setup import load_trainable_model
from lossgeometry.training.training_job import TrainingJob

TEMPERATURE = 0.8


@pytest.fixture(scope="module")
def job(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("on_policy")
    (folder / "initialisation").mkdir()
    initialise(student, Lora(), 42, folder / "initialisation")
    return TrainingJob(
        run="run",
        learning_rate=1e-3,
        order_seed=1,
        training=Training(),
        prompt_suffix="",
        student=student,
        initialisation=folder / "initialisation",
        prompts={},
        rollouts=None,
        output=folder,
        checkpoints=folder,
        digest="d",
    )


def test_samples_and_their_probabilities_are_those_of_the_current_adapter(job):
    sampler = VllmSampler(job, Sampling(temperature=TEMPERATURE, max_new_tokens=40), memory=0.3)
    problems = [problem.text for problem in islice(draw_problems(5, "reachable", "tests"), 8)]
    prompts = [prompt_token_ids(sampler.tokens.tokenizer, problem, "") for problem in problems]
    requests = [Request(f"p{place}", 0, "", SAMPLED, place) for place in range(len(prompts))]
    model = load_trainable_model(job).eval()
    texts = []
    for seed in (1, 2):
        disturb(model, seed)
        samples = sampler.sample(model, requests, prompts)
        for prompt, sample in zip(prompts, samples, strict=True):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + sample.completion_ids])).logits[0, len(prompt) - 1 : -1]
            log_probs = torch.log_softmax(logits.double() / TEMPERATURE, dim=-1)
            expected = log_probs.gather(1, torch.tensor(sample.completion_ids)[:, None])[:, 0]
            np.testing.assert_allclose(sample.log_probs, expected.numpy(), atol=2e-3)
        texts.append([sample.completion_ids for sample in samples])
        assert sampler.sample(model, requests, prompts) == samples
    assert texts[0] != texts[1]
