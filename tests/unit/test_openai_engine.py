"""The endpoint engine through faults: nothing lost, nothing twice, the key nowhere."""

import itertools
import threading
import time

import pytest
from fault_proxy import FAULTS, Endpoint, FaultProxy, chat_reply

from lossgeometry.errors import InputError
from lossgeometry.generation.engines import openai as openai_engine
from lossgeometry.generation.engines.openai import OpenAIEngine
from lossgeometry.generation.generate import generate_resumably
from lossgeometry.generation.requests import GREEDY, evaluation_requests, rollout_requests
from lossgeometry.settings.rollouts import Engine, Sampling

KEY = "sk-secret-0123456789"
ROWS = [{"id": f"p{index}", "problem": f"What is {index} + 1?"} for index in range(40)]
SAMPLING = Sampling(temperature=0.7, top_p=0.8, top_k=20, max_new_tokens=50)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(openai_engine, "BACKOFF_SECONDS", (0.01, 0.05))
    monkeypatch.setattr(openai_engine, "LOOK_UP_SECONDS", 0.05)


@pytest.fixture
def endpoint():
    server = Endpoint()
    yield server
    server.close()


@pytest.fixture
def proxy(endpoint):
    server = FaultProxy(endpoint.address, hang_seconds=2.0)
    yield server
    server.close()


def engine_at(url, in_flight=8, timeout=1.5):
    settings = Engine(name="openai", base_url=url, batch_size=in_flight, timeout_seconds=timeout)
    return OpenAIEngine("teacher", "Box it.", settings)


def generate(url, requests, **more):
    return list(itertools.chain.from_iterable(engine_at(url, **more).generate(requests, SAMPLING)))


def test_nothing_is_lost_and_nothing_twice_through_every_fault(endpoint, proxy, capsys):
    requests = rollout_requests(ROWS, 3, seed=1)
    found = generate(proxy.url, requests)
    assert [(one.problem_id, one.sample, one.seed) for one in found] == [
        (request.problem_id, request.sample, request.seed) for request in requests
    ]
    for request, one in zip(requests, found, strict=True):
        assert one.completion.startswith(f"{request.problem}\nBox it. {request.seed >> 32} 0.7 \ud800</script>\x00")
        assert one.finish_reason == ("length" if (request.seed >> 32) % 5 == 0 else "stop")
        assert one.n_tokens == len(request.problem) + len("\nBox it.")
    assert all(proxy.injected[fault] >= 3 for fault in FAULTS)
    assert len(proxy.forwarded) == len(requests)
    assert sum(proxy.seen.values()) >= len(requests) + proxy.injected.total()  # more where the machine itself was slow
    assert 1 < proxy.slots <= 8, "no more in flight than configured"
    assert min(proxy.pauses) >= 0.3, "Retry-After is honoured"
    said = capsys.readouterr()
    assert "HTTP 429; again in 0.3 s" in said.out and "no answer in time" in said.out
    assert KEY not in said.out + said.err
    assert set(proxy.keys) == {f"Bearer {KEY}"}


def test_what_is_sent(endpoint):
    requests = evaluation_requests(ROWS[:1], greedy=True, samples=1, seed=1)
    generate(endpoint.url, requests)
    greedy, sampled = sorted(endpoint.requests, key=lambda request: request["temperature"])
    assert requests[0].decoding == GREEDY
    assert greedy == {
        "model": "teacher",
        "messages": [{"role": "user", "content": "What is 0 + 1?\nBox it."}],
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 50,
        "seed": requests[0].seed >> 32,
    }
    assert sampled == {**greedy, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "seed": requests[1].seed >> 32}


def test_order_is_kept_behind_a_slow_first_answer_and_the_caller_can_look_up(endpoint):
    release = threading.Event()

    def answer(request):
        if "What is 0 " in request["messages"][0]["content"]:
            release.wait(10)
        return endpoint.chat(request)

    endpoint.answer = answer
    batches = engine_at(endpoint.url, timeout=20).generate(rollout_requests(ROWS, 1, 0), SAMPLING)
    assert [next(batches) for _ in range(6)] == [[]] * 6
    assert len(endpoint.requests) == openai_engine.AHEAD * 8, "the others go on, but only so far"
    release.set()
    assert [one.problem_id for batch in batches for one in batch] == [row["id"] for row in ROWS]


def test_leaving_early_cancels_what_is_in_flight(endpoint):
    endpoint.answer = lambda request: time.sleep(3) or endpoint.chat(request)
    start = time.monotonic()
    batches = engine_at(endpoint.url, timeout=20).generate(rollout_requests(ROWS, 1, 0), SAMPLING)
    next(batches)
    batches.close()
    assert time.monotonic() - start < 2.5


@pytest.mark.parametrize(
    "status, error, sentence",
    [
        (
            401,
            {"message": f"Incorrect API key: {KEY}"},
            r"^the endpoint refused the key in OPENAI_API_KEY \(HTTP 401\)",
        ),
        (404, {"message": "no such model"}, r"^the endpoint does not know the model teacher .*correct teacher.name$"),
        (400, {"message": f"too long, {KEY}"}, r"^the endpoint refused problem p0 \(HTTP 400: .*too long, \*\*\*"),
        (429, {"message": "pay", "code": "insufficient_quota"}, r"^the endpoint's quota is used up"),
    ],
)
def test_what_no_attempt_can_mend_is_said_at_once_without_the_key(endpoint, capsys, status, error, sentence):
    endpoint.answer = lambda request: (status, {"error": error})
    with pytest.raises(InputError, match=sentence) as raised:
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    assert len(endpoint.requests) == 1
    said = capsys.readouterr()
    assert KEY not in str(raised.value) + said.out + said.err


def test_an_endpoint_that_stays_down_ends_in_a_sentence_after_the_last_attempt(endpoint):
    endpoint.answer = lambda request: (503, {"error": {"message": "down"}})
    with pytest.raises(
        InputError, match=r"failed 10 times at problem p0, at last with HTTP 503; run again once it works"
    ):
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    assert len(endpoint.requests) == openai_engine.ATTEMPTS


def test_an_endpoint_without_token_counts_and_a_missing_key_are_refused(endpoint, monkeypatch):
    endpoint.answer = lambda request: (200, chat_reply("4", "stop", None))
    with pytest.raises(InputError, match="does not report usage.completion_tokens"):
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="set the environment variable OPENAI_API_KEY"):
        engine_at(endpoint.url)


def test_empty_and_filtered_answers_are_completions(endpoint):
    replies = iter([chat_reply(None, "length", 50), chat_reply("half", "content_filter", 2)])
    endpoint.answer = lambda request: (200, next(replies))
    found = generate(endpoint.url, rollout_requests(ROWS[:2], 1, 0), in_flight=1)
    assert [(one.completion, one.finish_reason) for one in found] == [("", "length"), ("half", "length")]


def test_a_failure_keeps_what_was_complete_and_the_next_call_asks_only_for_the_rest(endpoint, tmp_path):
    requests = rollout_requests(ROWS, 1, 0)
    broken = threading.Event()

    def answer(request):
        if "What is 25 " in request["messages"][0]["content"] and not broken.is_set():
            return 400, {"error": {"message": "refused"}}
        return endpoint.chat(request)

    def run():
        load = lambda: engine_at(endpoint.url, in_flight=2)  # noqa: E731
        generate_resumably(requests, SAMPLING, load, 1, tmp_path / "checkpoints", "d", tmp_path / "out.jsonl")

    endpoint.answer = answer
    with pytest.raises(InputError, match="problem p25"):
        run()
    broken.set()
    asked = len(endpoint.requests)
    run()
    assert len(endpoint.requests) - asked == len(requests) - 25
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == len(requests)
