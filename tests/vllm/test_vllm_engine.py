"""vLLM and transformers are one engine to everything after them: text, reasons, counts and log-probabilities."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from itertools import chain, islice
from pathlib import Path

import pytest
import torch
import yaml
from fault_proxy import FaultProxy
from peft import PeftModel
from transformers import AutoModelForCausalLM
from vllm import SamplingParams, TokensPrompt
from vllm.lora.request import LoRARequest

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.generation.engines.openai import OpenAIEngine
from lossgeometry.generation.engines.transformers import TransformersEngine
from lossgeometry.generation.engines.vllm import VllmEngine
from lossgeometry.generation.requests import SAMPLED, evaluation_requests, rollout_requests
from lossgeometry.generation.zero_adapter import write_zero
from lossgeometry.problems.generated import draw_problems
from lossgeometry.settings.rollouts import Engine, Sampling

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = [
    {"id": f"p{index}", "problem": problem.text}
    for index, problem in enumerate(islice(draw_problems(5, "reachable", "tests"), 100))
]
BUDGET = 64


def completions(engine, requests, **sampling):
    return list(chain.from_iterable(engine.generate(requests, Sampling(**{"max_new_tokens": BUDGET, **sampling}))))


@pytest.fixture(scope="module")
def engine(student, adapters):
    """One load for all tests in this process; adapter `one` is applied."""
    settings = Engine(name="vllm", batch_size=32)
    return VllmEngine(student, adapters["one"], "", settings, BUDGET)


def test_completions_are_those_of_transformers_under_the_same_adapter(engine, student, adapters):
    requests = evaluation_requests(PROBLEMS, greedy=True, samples=0, seed=0)
    reference = TransformersEngine(student, adapters["one"], "", 50)
    for budget in (BUDGET, 12):  # complete ones, and cut ones
        ours, theirs = (completions(one, requests, max_new_tokens=budget) for one in (engine, reference))
        assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 0.99 * len(requests)
        reasons = {one.finish_reason for one in ours}
        assert reasons == ({"length"} if budget == 12 else {"stop"}) or budget == BUDGET
        assert all(one.n_tokens == budget for one in ours if one.finish_reason == "length")


def test_sampled_completions_follow_their_own_seeds_whatever_the_batch(engine):
    requests = rollout_requests(PROBLEMS[:12], 4, seed=1)
    engine.batch_size = 48
    whole = completions(engine, requests, temperature=1.0, top_k=20, top_p=0.9)
    engine.batch_size = 5
    parts = completions(engine, requests[::-1], temperature=1.0, top_k=20, top_p=0.9)[::-1]
    engine.batch_size = 32
    assert sum(a == b for a, b in zip(whole, parts, strict=True)) >= 0.97 * len(requests)
    assert all(one.decoding == SAMPLED for one in whole)
    assert len({one.completion for one in whole}) > 24, "samples of one problem must differ"


def test_log_probabilities_of_base_and_adapters_agree(engine, student, adapters):
    prompts = engine.tokens.prompts(evaluation_requests(PROBLEMS[:40], greedy=True, samples=0, seed=0))
    greedy = SamplingParams(
        temperature=0.0, max_tokens=BUDGET, logprobs=0, stop_token_ids=engine.tokens.end_ids, detokenize=False
    )
    found = {}
    for number, name in enumerate(["base", *adapters], start=10):
        outputs = engine.llm.generate(
            [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts],
            greedy,
            lora_request=None if name == "base" else LoRARequest(name, number, str(adapters[name])),
            use_tqdm=False,
        )
        model = AutoModelForCausalLM.from_pretrained(student)
        if name != "base":
            model = PeftModel.from_pretrained(model, adapters[name])
        found[name] = 0.0
        for prompt, output in zip(prompts, outputs, strict=True):
            made = list(output.outputs[0].token_ids)
            theirs = [entry[token].logprob for token, entry in zip(made, output.outputs[0].logprobs, strict=True)]
            with torch.no_grad():
                logits = model(torch.tensor([prompt + made])).logits[0, len(prompt) - 1 : -1]
            ours = logits.log_softmax(-1).gather(1, torch.tensor(made)[:, None])[:, 0]
            found[name] = max(found[name], (ours - torch.tensor(theirs)).abs().max().item())
    print(f"largest difference of a log-probability: {found}")
    assert max(found.values()) < 1e-3


def test_the_base_goes_through_the_kernels_of_adapters(engine, student, adapters, tmp_path):
    """Under an adapter of zeros, of whatever rank, it gives the same log-probabilities, bit by bit."""
    untrained = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(student), adapters["one"])
    for name, parameter in untrained.named_parameters():
        if "lora_B" in name:
            torch.nn.init.zeros_(parameter)
    untrained.save_pretrained(tmp_path / "untrained")
    (tmp_path / "zero").mkdir()
    requests = rollout_requests(PROBLEMS[:20], 2, seed=3)
    applied, found = engine.adapter, []
    for folder in (tmp_path / "untrained", write_zero(student, tmp_path / "zero")):
        engine.attach(folder)
        sampling = Sampling(max_new_tokens=BUDGET)
        found.append(list(engine.sample(requests, engine.tokens.prompts(requests), sampling)))
    engine.adapter = applied
    assert found[0] == found[1]


def test_a_prompt_beyond_the_context_is_refused_by_name(engine):
    rows = [*PROBLEMS[:2], {"id": "long", "problem": "1 + " * 1200}]
    with pytest.raises(InputError, match="the prompt of problem long has .* exceeds the 1024 tokens"):
        completions(engine, rollout_requests(rows, 1, 0))


def test_the_workflow_evaluates_base_and_adapters_alike_with_both_engines(tmp_path, student, adapters):
    found = {}
    for name in ("vllm", "transformers"):
        values = {
            "experiment": name,
            "student": {"source": "folder", "name": str(student)},
            "adapters": {name: str(folder) for name, folder in adapters.items()},
            "evaluation": {
                "benchmarks": {"reachable": {"source": "generated", "count": 100, "seed": 4}},
                "sampling": {"max_new_tokens": BUDGET},
                "engine": {"name": name, "batch_size": 64},
            },
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
        targets = [
            f"results/{name}/completions/{run}/reachable.jsonl" for run in ("base", "external.one", "external.two")
        ]
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
        command += ["--cores", "2", "--configfile", tmp_path / f"{name}.yaml", "--", *targets]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-5000:]
        found[name] = [list(read_lines(tmp_path / target)) for target in targets]
    for ours, theirs in zip(*found.values(), strict=True):
        assert len(ours) == 100
        assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 99
    base, one, two = ([row["completion"] for row in rows] for rows in found["vllm"])
    changed = [sum(a != b for a, b in zip(base, other, strict=True)) for other in (one, two)]
    assert min(changed) > 10, "adapters that change nothing would agree whatever an engine did with them"


@pytest.fixture(scope="module")
def server(student, tmp_path_factory):
    """vLLM's own HTTP server on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", student]
    command += ["--served-model-name", "tiny"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    command += ["--no-enable-chunked-prefill", "--generation-config", "vllm"]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | settings)
    try:
        deadline = time.monotonic() + 300
        while not _healthy(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-5000:]
            time.sleep(0.5)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(60)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def test_the_endpoint_engine_loses_nothing_between_faults_and_says_what_transformers_says(server, student, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    faults = ("rate_limit", "server_error", "time_out", "dropped", "torn", "page")
    proxy = FaultProxy(server, hang_seconds=11, faults=faults)
    settings = Engine(name="openai", base_url=proxy.url, batch_size=16, timeout_seconds=10)
    greedy = evaluation_requests(PROBLEMS[:60], greedy=True, samples=0, seed=0)
    sampled = rollout_requests(PROBLEMS[:6], 4, seed=2)

    def answered(requests, **sampling):
        batches = OpenAIEngine("tiny", "", settings).generate(requests, Sampling(max_new_tokens=BUDGET, **sampling))
        found = {request: answer for batch in batches for request, answer in batch}
        return [(found[one].content, found[one].finish_reason, found[one].billed_tokens) for one in requests]

    found = answered(greedy)
    assert all(proxy.injected[fault] for fault in faults)
    again = [answered(sampled, temperature=1.0, top_k=20) for _ in range(2)]
    proxy.close()
    reference = completions(TransformersEngine(student, None, "", 60), greedy)
    expected = [(one.completion, one.finish_reason, one.n_tokens) for one in reference]
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 0.99 * len(greedy) - 1
    assert sum(a == b for a, b in zip(*again, strict=True)) >= 0.95 * len(sampled), "the seeds are passed on"
    assert len({text for text, _, _ in again[0]}) > 12
