"""The endpoint engine through faults: nothing lost, nothing twice, the key nowhere, one broken answer costs one answer."""

import itertools
import json
import threading
import time
from collections import Counter

import pytest
from fault_proxy import FAULTS, Endpoint, FaultProxy, chat_reply

from lossgeometry.errors import InputError
from lossgeometry.generation.engines import openai as openai_engine
from lossgeometry.generation.engines.openai import OpenAIEngine
from lossgeometry.generation.requests import GREEDY, evaluation_requests, rollout_requests
from lossgeometry.settings.rollouts import Engine, Sampling

KEY = "sk-secret-qwvzjxkqpw"
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


def engine_at(url, in_flight=8, timeout=1.5, **more):
    settings = Engine(name="openai", base_url=url, batch_size=in_flight, timeout_seconds=timeout, **more)
    return OpenAIEngine("teacher", "Box it.", settings)


def generate(url, requests, **more):
    """Return {(problem id, sample): answer}; every request has one."""
    found = list(itertools.chain.from_iterable(engine_at(url, **more).generate(requests, SAMPLING)))
    answers = {(request.problem_id, request.sample): answer for request, answer in found}
    assert len(answers) == len(found) == len(requests)
    return answers


def asked_about(request, number):
    return f"What is {number} " in request["messages"][0]["content"]


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_twice_through_every_fault(endpoint, proxy, capsys):
    requests = rollout_requests(ROWS, 4, seed=1)
    found = generate(proxy.url, requests)
    for request in requests:
        one = found[request.problem_id, request.sample]
        assert one.content.startswith(f"{request.problem}\nBox it. {request.seed >> 32} 0.7 \ufffd</script>\x00")
        assert one.finish_reason == ("length" if (request.seed >> 32) % 5 == 0 else "stop")
        assert one.billed_tokens == len(request.problem) + len("\nBox it.")
    assert len(FAULTS) >= 30 and set(proxy.injected) == set(FAULTS)
    assert len(proxy.forwarded) == len(requests)
    assert sum(proxy.seen.values()) >= len(requests) + proxy.injected.total()  # more where the machine itself was slow
    assert 1 < proxy.slots <= 8, "no more in flight than configured"
    assert min(proxy.pauses) >= 0.3, "Retry-After is honoured"
    said = capsys.readouterr()
    assert "HTTP 429; again in 0.3 s" in said.out and "no answer in time" in said.out
    assert KEY not in said.out + said.err
    assert set(proxy.keys) == {f"Bearer {KEY}"}


def test_a_deadline_is_one_though_the_body_keeps_dripping(endpoint):
    proxy = FaultProxy(endpoint.address, hang_seconds=20.0, faults=("dripping",))
    generate(proxy.url, rollout_requests(ROWS[:1], 1, 0), timeout=0.4)
    assert proxy.injected["dripping"] and not endpoint.requests[1:]
    proxy.close()


def test_what_is_sent(endpoint, capsys):
    requests = evaluation_requests(ROWS[:1], greedy=True, samples=1, seed=1)
    body = {"thinking": {"type": "disabled"}}
    generate(endpoint.url, requests, body=body)
    greedy, sampled = sorted(endpoint.requests, key=lambda request: request["temperature"])
    assert requests[0].decoding == GREEDY
    assert greedy == {
        "model": "teacher",
        "messages": [{"role": "user", "content": "What is 0 + 1?\nBox it."}],
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 50,
        "seed": requests[0].seed >> 32,
        **body,
    }
    assert sampled == {**greedy, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "seed": requests[1].seed >> 32}
    assert capsys.readouterr().out.startswith(f"asking teacher at http://127.0.0.1:{endpoint.address[1]} for 2 ")


def test_null_leaves_a_parameter_out(endpoint):
    generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0), body={"seed": None, "max_tokens": None, "max_out": 7})
    assert endpoint.requests[0].keys() == {"model", "messages", "temperature", "top_p", "top_k", "max_out"}


def test_answers_come_as_they_are_there_and_the_caller_can_look_up(endpoint):
    release = threading.Event()

    def answer(request):
        if asked_about(request, 0):
            release.wait(10)
        return endpoint.chat(request)

    endpoint.answer = answer
    found = []
    batches = engine_at(endpoint.url, timeout=20).generate(rollout_requests(ROWS, 1, 0), SAMPLING)
    while len(found) < len(ROWS) - 1:  # a slow first answer holds back no other
        found += next(batches)
    assert next(batches) == []
    release.set()
    found += itertools.chain.from_iterable(batches)
    assert Counter(request.problem_id for request, _ in found) == Counter(row["id"] for row in ROWS)


def test_leaving_early_cancels_what_is_in_flight(endpoint):
    hanging = threading.Event()
    endpoint.answer = lambda request: endpoint.chat(request) if hanging.wait(30) else (504, b"")
    batches = engine_at(endpoint.url, timeout=20).generate(rollout_requests(ROWS, 1, 0), SAMPLING)
    next(batches)
    batches.close()
    assert not hanging.is_set() and len(endpoint.requests) <= 8
    hanging.set()


STOPPING = [
    (401, {"message": f"Incorrect API key: {KEY}"}, r"^the endpoint refused the key in OPENAI_API_KEY \(HTTP 401\)"),
    (403, {"message": "region"}, r"^the endpoint refused the key in OPENAI_API_KEY \(HTTP 403\)"),
    (
        402,
        {"message": "Insufficient Balance"},
        r"^the endpoint's account has no balance left \(HTTP 402: Insuff.*top it up",
    ),
    (404, {"message": "no such model"}, r"^the endpoint does not know the model teacher .*correct teacher.name, or"),
    (429, {"message": "pay", "code": "insufficient_quota"}, r"^the endpoint's quota is used up"),
    (400, {"message": f"too long, {KEY}"}, r"^1 of 1 requests have no usable answer.*HTTP 400: too long, \*\*\*"),
    (
        400,
        {"message": "Content Exists Risk"},
        r"^1 of 1 requests have no usable answer.*refused, HTTP 400: Content Exists",
    ),
    (422, {"message": "temperature"}, r"^1 of 1 requests have no usable answer.*failed, HTTP 422"),
    (400, f"no object, ...{KEY[-6:]}", r"^1 of 1 requests have no usable answer.*no object, \.\.\.\*\*\*"),
]


@pytest.mark.parametrize("status, error, sentence", STOPPING, ids=range(len(STOPPING)))
@pytest.mark.parametrize("inside", [False, True])
def test_what_no_attempt_can_mend_is_said_at_once_without_the_key(endpoint, capsys, status, error, sentence, inside):
    if inside and (not isinstance(error, dict) or "code" in error):
        pytest.skip("it has no place for the status")
    within = (200, {"error": {**error, "code": status}}) if inside else None
    endpoint.answer = lambda request: within or (status, {"error": error})
    with pytest.raises(InputError, match=sentence) as raised:
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    assert len(endpoint.requests) == 1
    said = capsys.readouterr()
    everything = str(raised.value) + said.out + said.err
    assert all(KEY[start : start + 4] not in everything for start in range(len(KEY) - 3)), "no part of the key either"


def test_no_redirect_is_followed(endpoint):
    other = Endpoint()
    for status in (301, 302, 303, 307, 308):
        endpoint.answer = lambda request, status=status: (status, b"", {"Location": f"{other.url}/chat/completions"})
        with pytest.raises(
            InputError, match=rf"sends requests elsewhere \(HTTP {status}\); set rollouts.engine.base_url"
        ):
            generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    assert other.keys == []
    other.close()


def test_an_endpoint_that_stays_down_ends_in_a_sentence_after_the_last_attempt(endpoint):
    endpoint.answer = lambda request: (503, {"error": {"message": "down"}})
    with pytest.raises(
        InputError, match=r"failed 10 times at problem p0, at last with HTTP 503; run again once it works"
    ):
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    assert len(endpoint.requests) == openai_engine.ATTEMPTS


@pytest.mark.parametrize(
    "broken, finish_reason, reason",
    [
        ((500, b"oops"), "failed", "HTTP 500 in the last of 10 attempts"),
        ((200, b"<html>"), "failed", "an answer that is not JSON in the last of 10 attempts"),
        ((200, chat_reply("x", "tool_calls", 1)), "refused", "finish_reason tool_calls"),
        ((200, chat_reply("half", "content_filter", 2)), "refused", "finish_reason content_filter"),
        ((200, chat_reply(None, "stop", 2, refusal="I cannot")), "refused", "refusal: I cannot"),
        ((400, {"error": {"code": "content_filter", "message": "policy"}}), "refused", "HTTP 400: policy"),
        (
            (400, {"error": {"message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
            "refused",
            "HTTP 400: x",
        ),
        ((403, {"error": {"message": "flag", "metadata": {"reasons": ["a"]}}}), "refused", "HTTP 403: flag"),
        ((400, {"error": {"code": "context_length_exceeded", "message": "long"}}), "failed", "HTTP 400: long"),
        ((413, b"<html>"), "failed", "HTTP 413: <html>"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_broken_answer_costs_one_answer(endpoint, capsys, broken, finish_reason, reason):
    endpoint.answer = lambda request: broken if asked_about(request, 7) else endpoint.chat(request)
    found = generate(endpoint.url, rollout_requests(ROWS, 1, 0), in_flight=2)
    lost = found.pop(("p7", 0))
    assert (lost.finish_reason, lost.reason, lost.usable) == (finish_reason, reason, False)
    assert all(answer.usable for answer in found.values())
    assert f"left out: problem p7, sample 0: {finish_reason}, {reason}" in capsys.readouterr().out


def test_refusals_beyond_the_share_end_the_run_and_answers_on_their_way_are_yielded_first(endpoint):
    refused = threading.Event()

    def answer(request):
        if asked_about(request, 3):
            refused.wait(10)
            time.sleep(0.2)
        if any(asked_about(request, number) for number in (0, 1, 2)):
            return 200, chat_reply("", "content_filter", 1)
        refused.set()
        return endpoint.chat(request)

    endpoint.answer = answer
    found = []
    with pytest.raises(InputError, match=r"^3 of 40 requests have no usable answer.*max_refused \(0.05\)"):
        for batch in engine_at(endpoint.url, in_flight=4, timeout=20).generate(rollout_requests(ROWS, 1, 0), SAMPLING):
            found += batch
    assert "p3" in {request.problem_id for request, answer in found if answer.usable}


def test_an_endpoint_that_serves_nobody_is_not_asked_on(endpoint):
    endpoint.answer = lambda request: (422, {"error": {"message": "no such parameter"}})
    with pytest.raises(InputError, match=r"^10 of 40 requests have no usable answer"):
        generate(endpoint.url, rollout_requests(ROWS, 1, 0), max_refused=1.0, in_flight=1)
    assert len(endpoint.requests) == openai_engine.HOPELESS


def test_reasoning_that_nobody_asked_for_is_refused_in_one_sentence_and_else_comes_along(endpoint):
    endpoint.answer = lambda request: (200, chat_reply("4", "stop", 9, reasoning_content="2 + 2"))
    with pytest.raises(InputError, match=r"say what becomes of it in rollouts.engine.reasoning \(keep or drop"):
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0))
    for setting in ("keep", "drop"):
        found = generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0), reasoning=setting)
        assert (found["p0", 0].content, found["p0", 0].reasoning) == ("4", "2 + 2")
    hidden = chat_reply("4", "stop", 9)
    hidden["usage"]["completion_tokens_details"] = {"reasoning_tokens": 8}
    endpoint.answer = lambda request: (200, hidden)
    with pytest.raises(InputError, match=r"bills reasoning \(8 tokens\) and does not show it"):
        generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0), reasoning="keep")


def test_the_key_is_read_from_the_variable_that_is_named_and_must_be_one(endpoint, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "other-key-0123456789")
    generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0), key_variable="OTHER_KEY")
    assert endpoint.keys == ["Bearer other-key-0123456789"]
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(InputError, match="set the environment variable OPENAI_API_KEY"):
        engine_at(endpoint.url)
    for key in ("a key", "key\n", "clé"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(InputError, match="holds a space, a line break or a letter outside ASCII") as raised:
            engine_at(endpoint.url)
        assert key.strip() not in str(raised.value).replace("the key in", "")


def test_a_key_in_the_body_is_refused(endpoint):
    with pytest.raises(InputError, match="rollouts.engine.body holds the key") as raised:
        engine_at(endpoint.url, body={"auth": KEY})
    assert KEY not in str(raised.value)


def test_an_answer_that_repeats_the_key_is_kept_without_it(endpoint):
    def answer(request):
        reply = chat_reply(f"a {KEY} b", "stop", 1, reasoning=KEY)
        return 200, {**reply, "model": KEY, "system_fingerprint": f"fp {KEY}"}

    endpoint.answer = answer
    (found,) = generate(endpoint.url, rollout_requests(ROWS[:1], 1, 0), reasoning="keep").values()
    assert (found.content, found.reasoning, found.model) == ("a *** b", "***", "***")
    assert KEY not in json.dumps(vars(found))
