"""Generation with transformers: draws follow the filtered softmax and depend on their own request alone."""

import warnings
from collections import Counter
from random import Random

import numpy as np
import pytest
import torch
from model_folders import problem_rows, save_model
from scipy.stats import chisquare, kstest

from lossgeometry.errors import InputError
from lossgeometry.generation.engines.transformers import GumbelSampling, TransformersEngine, counter_uniform
from lossgeometry.generation.requests import (
    GREEDY,
    SAMPLED,
    Request,
    evaluation_requests,
    rollout_requests,
    sample_seed,
)
from lossgeometry.settings.rollouts import Sampling

DRAWS = 20_000


def softmax_left_by(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The distribution that temperature, then top-k, then top-p leave, in float64."""
    probabilities = np.exp((logits - logits.max()) / sampling.temperature)
    order = np.argsort(-probabilities)
    if sampling.top_k:
        probabilities[order[sampling.top_k :]] = 0
    probabilities /= probabilities.sum()
    before = np.cumsum(probabilities[order]) - probabilities[order]
    probabilities[order[before >= sampling.top_p]] = 0  # the smallest set that reaches top_p
    return probabilities / probabilities.sum()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.7},
        {"temperature": 1.5, "top_k": 5},
        {"temperature": 0.7, "top_p": 0.8},
        {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
    ],
    ids=str,
)
def test_draws_follow_the_filtered_softmax(settings):
    sampling = Sampling(**settings)
    logits = np.random.default_rng(1).normal(size=40) * 2
    requests = [Request("p", sample, "", SAMPLED, sample_seed(5, "p", sample)) for sample in range(DRAWS)]
    scores = torch.from_numpy(logits).float().repeat(DRAWS, 1)
    drawn = GumbelSampling(requests, sampling).choose(1, torch.arange(DRAWS), scores).numpy()
    expected = softmax_left_by(logits, sampling) * DRAWS
    observed = np.bincount(drawn, minlength=len(logits))
    assert not observed[expected == 0].any()
    common = expected >= 5
    rest = [values[~common].sum() for values in (observed, expected)]
    values = [np.append(values[common], more) for values, more in zip((observed, expected), rest, strict=True)]
    kept = values[1] > 0
    assert chisquare(values[0][kept], values[1][kept]).pvalue > 1e-3


def test_the_noise_is_uniform_and_differs_by_seed_step_and_token():
    seeds = torch.tensor([sample_seed(0, "p", sample) for sample in range(64)])
    noise = torch.stack([counter_uniform(seeds, step, 512) for step in range(8)])
    assert 0 < noise.min() and noise.max() < 1
    assert noise.unique().numel() == noise.numel()
    assert kstest(noise.numpy().ravel(), "uniform").pvalue > 1e-3
    for axis in range(3):  # neighbours in step, seed and token are unrelated
        length = noise.shape[axis] - 1
        a, b = (noise.narrow(axis, start, length).numpy().ravel() for start in (0, 1))
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def test_seeds_differ_by_problem_and_sample_and_fit_63_bits():
    seeds = [sample_seed(1, f"p{problem}", sample) for problem in range(100) for sample in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 1 << 63 for seed in seeds)


def test_requests_of_an_evaluation_are_greedy_then_sampled():
    requests = evaluation_requests([{"id": "a", "problem": "1+1"}], greedy=True, samples=2, seed=0)
    assert [(request.sample, request.decoding) for request in requests] == [(0, GREEDY), (1, SAMPLED), (2, SAMPLED)]
    assert [request.sample for request in rollout_requests([{"id": "a", "problem": "1+1"}], 2, 0)] == [0, 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # Settings as hub models have them; none may leak into what is asked for.
    settings = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 5.0}
    return save_model(tmp_path_factory.mktemp("model"), **settings)


def completions(folder, requests, batch_size, **sampling):
    engine = TransformersEngine(folder, None, "Box it.", batch_size)
    return [one for batch in engine.generate(requests, Sampling(**sampling)) for one in batch]


def test_a_completion_depends_on_its_own_request_alone(folder, capfd):
    requests = evaluation_requests(problem_rows(12), greedy=True, samples=3, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = completions(folder, requests, 64, max_new_tokens=12)
    said = capfd.readouterr().err.lower()
    assert "warn" not in said and "not valid" not in said
    assert [(one.problem_id, one.sample, one.seed) for one in whole] == [
        (request.problem_id, request.sample, request.seed) for request in requests
    ]
    assert completions(folder, requests, 5, max_new_tokens=12) == whole
    shuffled = Random(0).sample(range(len(requests)), len(requests))
    again = completions(folder, [requests[index] for index in shuffled], 7, max_new_tokens=12)
    assert again == [whole[index] for index in shuffled]
    texts = Counter(one.completion for one in whole if one.decoding == SAMPLED)
    assert len(texts) > 30, "samples of one problem must differ"


def test_greedy_is_the_argmax_without_penalties(folder):
    requests = evaluation_requests(problem_rows(4), greedy=True, samples=0, seed=0)
    engine = TransformersEngine(folder, None, "", 4)
    for request, one in zip(requests, *engine.generate(requests, Sampling(max_new_tokens=8)), strict=True):
        (tokens,) = engine.tokens.prompts([request])
        made = []
        while len(made) < 8 and (not made or made[-1] not in engine.tokens.end_ids):
            made.append(int(engine.model(torch.tensor([tokens + made])).logits[0, -1].argmax()))
        assert one == engine.tokens.completion(request, made)


def test_finish_reasons_and_token_counts(folder):
    tokens = TransformersEngine(folder, None, "", 1).tokens
    request = Request("p", 0, "1+1", GREEDY, 0)
    (end,) = tokens.end_ids
    text = tokens.tokenizer("has 3 apples")["input_ids"]
    stopped = tokens.completion(request, [*text, end, tokens.pad_id, tokens.pad_id])
    assert (stopped.completion, stopped.finish_reason, stopped.n_tokens) == ("has 3 apples", "stop", len(text) + 1)
    cut = tokens.completion(request, text)
    assert (cut.completion, cut.finish_reason, cut.n_tokens) == ("has 3 apples", "length", len(text))


def test_a_prompt_beyond_the_context_is_refused_by_name_before_anything_is_generated(folder):
    rows = [*problem_rows(3), {"id": "long", "problem": "1 + " * 300, "answer": "300"}]
    engine = TransformersEngine(folder, None, "", 2)
    with pytest.raises(InputError, match=r"^the prompt of problem long has \d+ tokens, .* lower max_new_tokens or"):
        next(engine.generate(rollout_requests(rows, 1, 0), Sampling(max_new_tokens=8)))
    with pytest.raises(InputError, match="exceeds the 256 tokens"):
        next(engine.generate(rollout_requests(rows[:3], 1, 0), Sampling(max_new_tokens=250)))
