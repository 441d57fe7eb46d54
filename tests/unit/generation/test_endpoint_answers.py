"""Every documented shape of an endpoint's answer is read; addresses that no key may be sent to are refused."""

import json
import random

import pytest
from fault_proxy import chat_reply

from lossgeometry.generation.endpoint.access import mask_echoes
from lossgeometry.generation.endpoint.answers import Answer, BrokenAnswer, read_answer
from lossgeometry.generation.endpoint.errors import judge, judge_inside, retry_after
from lossgeometry.generation.endpoint.limits import whole_completion
from lossgeometry.settings.rollouts import Engine, address_problem


def read(reply) -> Answer:
    return read_answer(reply if isinstance(reply, bytes) else json.dumps(reply).encode())


def replied(text="4", finish_reason="stop", **message):
    return chat_reply(text, finish_reason, 5, **message)


def with_usage(**usage):
    return {**replied(), "usage": usage}


SHAPES = {
    "plain": (replied(), ("4", "", "stop")),
    "cut": (replied(finish_reason="length"), ("4", "", "length")),
    "ended as Anthropic says": (replied(finish_reason="end_turn"), ("4", "", "stop")),
    "ended as TGI says": (replied(finish_reason="eos_token"), ("4", "", "stop")),
    "ended by a stop sequence": (replied(finish_reason="stop_sequence"), ("4", "", "stop")),
    "ended in capitals": (replied(finish_reason="STOP"), ("4", "", "stop")),
    "cut as Gemini says": (replied(finish_reason="MAX_TOKENS"), ("4", "", "length")),
    "cut as Mistral says": (replied(finish_reason="model_length"), ("4", "", "length")),
    "filtered": (replied(finish_reason="content_filter"), ("4", "", "refused")),
    "unsafe": (replied(finish_reason="SAFETY"), ("4", "", "refused")),
    "undocumented": (replied(finish_reason="bored"), ("4", "", "refused")),
    "refusal": (replied(None, refusal="no"), ("", "", "refused")),
    "refusal null": (replied(refusal=None), ("4", "", "stop")),
    "null": (replied(None), ("", "", "stop")),
    "no content": ({"choices": [{"finish_reason": "length", "message": {"role": "assistant"}}]}, ("", "", "length")),
    "DeepSeek's reasoning": (replied(reasoning_content=" why "), ("4", "why", "stop")),
    "OpenRouter's reasoning": (replied(reasoning="why", reasoning_details=[{"text": "why"}]), ("4", "why", "stop")),
    "both names": (replied(reasoning="why", reasoning_content="why"), ("4", "why", "stop")),
    "reasoning null": (replied(reasoning_content=None), ("4", "", "stop")),
    "reasoning blank": (replied(reasoning_content="\n"), ("4", "", "stop")),
    "cut in its reasoning": (replied(None, "length", reasoning_content="why"), ("", "why", "length")),
    "reasoning inside": (replied("<think>\nwhy\n</think>\n\n4"), ("4", "why", "stop")),
    "reasoning inside, opened by the template": (replied("why</think>4"), ("4", "why", "stop")),
    "cut in its reasoning inside": (replied("<think>wh", "length"), ("", "wh", "length")),
    "empty reasoning inside": (replied("<think>\n\n</think>\n\n4"), ("4", "", "stop")),
    "parts": (replied([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]), ("42", "", "stop")),
    "Mistral's thinking": (
        replied([{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}, {"type": "text", "text": "4"}]),
        ("4", "why", "stop"),
    ),
    "parts of no known kind": (replied([{"type": "image", "url": "x"}, 3, None]), ("", "", "stop")),
    "several choices": ({**replied(), "choices": replied()["choices"] * 3}, ("4", "", "stop")),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(replied()).encode(), ("4", "", "stop")),
    "blank lines before": (b"\n\n\n" + json.dumps(replied()).encode(), ("4", "", "stop")),
    "UTF-16": (json.dumps(replied()).encode("utf-16"), ("4", "", "stop")),
    "error null": ({**replied(), "error": None}, ("4", "", "stop")),
    "tool calls empty": (replied(tool_calls=[]), ("4", "", "stop")),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_answers(name):
    reply, expected = SHAPES[name]
    answer = read(reply)
    assert (answer.content, answer.reasoning, answer.finish_reason) == expected
    assert answer.usable == (expected[2] != "refused") == (not answer.reason)


@pytest.mark.parametrize(
    "usage, expected",
    [
        ({"prompt_tokens": 10, "completion_tokens": 5}, (10, None, 5, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, (10, 4, 5, None)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (10, 3, 5, 2),
        ),
        (
            {"prompt_tokens_details": None, "completion_tokens_details": [], "reasoning_tokens": 1},
            (None, None, None, 1),
        ),
        ({"prompt_tokens": "10", "completion_tokens": -5}, (None, None, None, None)),
        ({"prompt_tokens": True, "completion_tokens": 1.5}, (None, None, None, None)),
        ({"completion_tokens": 10**30}, (None, None, None, None)),
        ({}, (None, None, None, None)),
    ],
)
def test_counts_are_the_endpoints_or_none(usage, expected):
    answer = read(with_usage(**usage))
    found = (answer.prompt_tokens, answer.cached_tokens, answer.billed_tokens, answer.reasoning_tokens)
    assert found == expected and answer.usable
    assert read({key: value for key, value in replied().items() if key != "usage"}).billed_tokens is None


def test_models_and_fingerprints_are_texts_of_bounded_length():
    answer = read({**replied(), "model": "m" * 9999, "system_fingerprint": {"a": 1}})
    assert len(answer.model) == 200 and answer.fingerprint == ""


def test_random_damage_never_surprises():
    """Whatever a byte or a value is replaced by, the outcome is an answer, a broken one, or an error inside."""
    draw = random.Random(0)
    whole = json.dumps(with_usage(prompt_tokens=1, completion_tokens=1)).encode()
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            assert isinstance(read_answer(bytes(damaged)), Answer)
        except BrokenAnswer:
            continue


@pytest.mark.parametrize(
    "error", [None, "", [], 3, "text", {"message": 3}, {"code": None}, {"metadata": "x"}, {"code": {}}]
)
def test_errors_of_any_shape_get_a_verdict(error):
    for status in (300, 400, 401, 402, 403, 404, 413, 429, 500, 599):
        assert judge(status, error, {}, "m", "KEY").kind
    assert judge_inside(error, "m", "KEY").kind == "broken"


@pytest.mark.parametrize("value", ["", "nan", "inf", "-3", "soon", "Wed, 99 Oct 2015", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_pause_that_is_none_is_zero(value):
    assert retry_after(value) == 0.0
    assert retry_after("2.5") == 2.5


def test_echoes_of_parts_of_a_key_are_masked():
    key = "sk-live-8Kq2ZxY7vW"
    assert mask_echoes(f"bad key {key}!", key) == "bad key ***!"
    assert mask_echoes("bad key sk-live-****7vW", key) == "bad key *******7vW"
    assert mask_echoes("ends in Y7vW", key) == "ends in ***"
    assert mask_echoes("the skill", key) == "the skill"
    assert mask_echoes("any none at all", "none") == "any *** at all"


def test_the_template_of_kept_reasoning_holds_any_text():
    template = Engine(name="openai", base_url="https://x/v1").reasoning_template
    hostile = Answer("{reasoning} 4", "{answer} {0} %s", "stop")
    assert whole_completion(hostile, "keep", template) == "<think>\n{answer} {0} %s\n</think>\n\n{reasoning} 4"
    assert whole_completion(hostile, "drop", template) == "{reasoning} 4"
    assert whole_completion(Answer("", "why", "length"), "keep", template) == "<think>\nwhy"
    assert whole_completion(Answer("4", "", "stop"), "keep", template) == "4"


@pytest.mark.parametrize(
    "address, problem",
    [
        ("https://api.example.com/v1", ""),
        ("http://127.0.0.1:8000/v1", ""),
        ("http://127.8.8.8/v1", ""),
        ("http://[::1]:8000/v1", ""),
        ("http://localhost/v1", ""),
        ("http://api.example.com/v1", "in the clear"),
        ("http://localhost.example.com/v1", "in the clear"),
        ("http://10.0.0.1/v1", "in the clear"),
        ("https://me:hush@api.example.com/v1", "no user, password"),
        ("https://hush@api.example.com/v1", "no user, password"),
        ("https://api.example.com/v1?key=hush", "no user, password"),
        ("https://api.example.com/v1#hush", "no user, password"),
        ("file:///etc/hush", "not the address of a web service"),
        ("ftp://hush/v1", "not the address of a web service"),
        ("hush", "not the address of a web service"),
        ("https://", "not the address of a web service"),
        ("https://hush:port/v1", "is not an address"),
        ("https://[hush/v1", "is not an address"),
    ],
)
def test_addresses(address, problem):
    said = address_problem(address)
    assert bool(said) == bool(problem) and problem in said and "hush" not in said
