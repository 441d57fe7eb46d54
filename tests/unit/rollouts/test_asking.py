"""Answers of an endpoint are bought once: kept through failures and changes, counted, and without the key."""

import json
from collections import Counter

import pandas as pd
import pytest
from fault_proxy import Endpoint, FaultProxy, chat_reply
from model_folders import save_model
from transformers import AutoTokenizer

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.generation.engines import openai as openai_engine
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.rollouts.asking import ask_teacher
from lossgeometry.rollouts.bought import Bought
from lossgeometry.rollouts.rewards import ROLLOUTS, grade_rollouts
from lossgeometry.settings.tasks import TeacherAnswers

KEY = "sk-secret-qwvzjxkqpw"
PROBLEMS = [{"id": f"p{index}", "problem": f"What is {index} + 1?", "answer": str(index + 1)} for index in range(12)]


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("student"))


class World:
    """A results folder with prompts, and an endpoint that solves them."""

    def __init__(self, root, student):
        self.root, self.student = root, student
        self.endpoint = Endpoint(self.solve)
        self.url = self.endpoint.url
        self.write(PROBLEMS)
        self.cfg = {
            "model": "teacher",
            "base_url": self.url,
            "prompt_suffix": "Box it.",
            "sampling": {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "max_new_tokens": 50},
            "body": {},
            "seed": 1,
            "samples_per_prompt": 2,
            "reasoning": "refuse",
        }
        self.speed = {"batch_size": 4, "timeout_seconds": 5.0, "key_variable": "OPENAI_API_KEY", "max_refused": 0.05}

    def write(self, problems):
        write_atomic(self.root / "prompts" / "train.jsonl", problems)

    def solve(self, request):
        number = int(request["messages"][0]["content"].split()[2])
        reply = chat_reply(rf"\boxed{{{number + 1}}}", "stop", 7)
        reply["usage"] |= {"prompt_tokens": 10, "prompt_cache_hit_tokens": 4}
        return 200, {**reply, "model": "teacher-0731", "system_fingerprint": "fp1"}

    def ask(self, shard=(0, 1), **changes):
        output = self.root / "rollouts" / "shards" / f"{shard[0] + 1}-of-{shard[1]}.jsonl"
        prompts = self.root / "prompts" / "train.jsonl"
        before = len(self.endpoint.requests)
        ask_teacher(TeacherAnswers.from_told(self.cfg | changes), self.speed, self.student, prompts, shard, output)
        return list(read_lines(output)), len(self.endpoint.requests) - before

    def grade(self, shards=("1-of-1",), **told):
        bought = Bought({"asked": self.cfg, "max_refused": 0.5, "prices": None} | told)
        rollouts = self.root / "rollouts"
        grade_rollouts(
            self.root / "prompts" / "train.jsonl",
            [rollouts / "shards" / f"{shard}.jsonl" for shard in shards],
            1,
            5.0,
            rollouts / "rollouts.parquet",
            rollouts / "summary.csv",
            bought,
        )
        bought.write(rollouts / "teacher.json")
        return pd.read_parquet(rollouts / "rollouts.parquet"), pd.read_csv(rollouts / "summary.csv").iloc[0]


@pytest.fixture
def world(tmp_path, student, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(openai_engine, "BACKOFF_SECONDS", (0.01, 0.05))
    monkeypatch.setattr(openai_engine, "LOOK_UP_SECONDS", 0.05)
    made = World(tmp_path, student)
    yield made
    made.endpoint.close()


def test_completions_are_in_the_order_of_the_requests_and_counted_by_the_students_tokenizer(world):
    rows, asked = world.ask()
    assert asked == 24
    assert [(row["problem_id"], row["sample"]) for row in rows] == [(f"p{p}", s) for p in range(12) for s in range(2)]
    tokenizer = AutoTokenizer.from_pretrained(world.student)
    for row in rows:
        assert row["n_tokens"] == len(completion_token_ids(tokenizer, row["completion"], finished=True))
        assert (row["billed_tokens"], row["prompt_tokens"], row["cached_tokens"]) == (7, 10, 4)
        assert (row["model"], row["fingerprint"]) == ("teacher-0731", "fp1")


def test_a_failure_keeps_every_answer_that_came_and_the_next_call_asks_only_for_the_rest(world):
    def no_balance(request):
        if "What is 9 " in request["messages"][0]["content"]:
            return 402, {"error": {"message": "Insufficient Balance"}}
        return world.solve(request)

    world.endpoint.answer = no_balance
    with pytest.raises(InputError, match="no balance left"):
        world.ask()
    answered = Counter(request["messages"][0]["content"] for request in world.endpoint.requests)
    refused = sum(count for text, count in answered.items() if "What is 9 " in text)
    world.endpoint.answer = world.solve
    rows, asked = world.ask()
    assert asked == 24 - (sum(answered.values()) - refused) < 24
    assert len(rows) == 24 and all(row["completion"] for row in rows)


def test_no_answer_is_bought_twice_whatever_changes_around_it(world):
    first, asked = world.ask()
    assert asked == 24
    kept = {(row["problem_id"], row["sample"]): row["completion"] for row in first}
    # Problems removed and renumbered, samples added, another split into shards, another view of reasoning, another key.
    world.write([{**row, "id": f"q{row['id']}"} for row in PROBLEMS[3:]])
    rows, asked = world.ask()
    assert asked == 0 and [row["completion"] for row in rows] == [
        kept[f"p{p}", s] for p in range(3, 12) for s in (0, 1)
    ]
    world.write(PROBLEMS)
    assert [world.ask(samples_per_prompt=3)[1], world.ask(samples_per_prompt=3)[1]] == [12, 0]
    assert [world.ask((shard, 3))[1] for shard in range(3)] == [0, 0, 0]
    assert world.ask(reasoning="drop")[1] == 0
    world.write([*PROBLEMS, {"id": "new", "problem": "What is 40 + 1?", "answer": "41"}])
    assert world.ask()[1] == 2
    # What the answer depends on.
    assert world.ask(body={"thinking": {"type": "disabled"}})[1] == 26


def test_a_torn_answer_is_asked_for_again_and_a_damaged_file_is_named(world):
    world.ask()
    (path,) = (world.root / "rollouts" / "answers").glob("*/*.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    rows, asked = world.ask()
    assert asked == 1 and len(rows) == 24
    path.write_bytes(b"damage\n" + whole)
    with pytest.raises(InputError, match=r"cannot read the answers in .*line 1.*or delete it to ask again"):
        world.ask()


def test_refusals_by_content_are_kept_failures_are_asked_again_and_both_are_left_out_and_counted(world):
    def answer(request):
        text = request["messages"][0]["content"]
        if "What is 2 " in text:
            return 400, {"error": {"message": "Content Exists Risk"}}
        if "What is 3 " in text and request["seed"] % 2 == 0:
            return 200, chat_reply("", "content_filter", 3)
        if "What is 4 " in text:
            return 400, {"error": {"message": "too long"}}
        return world.solve(request)

    world.endpoint.answer = answer
    world.speed["max_refused"] = 0.5
    rows, _ = world.ask()
    lost = [row for row in rows if row["reason"]]
    assert all((row["completion"], row["n_tokens"]) == ("", 0) for row in lost)
    reasons = Counter((row["finish_reason"], row["reason"]) for row in lost)
    assert reasons["refused", "HTTP 400: Content Exists Risk"] == 2 and reasons["failed", "HTTP 400: too long"] == 2
    assert world.ask()[1] == 2
    frame, summary = world.grade()
    assert len(frame) == 24 - len(lost) and not set(frame.finish_reason) - {"stop", "length"}
    assert (summary.requests, summary.failed, summary.refused) == (24, 2, len(lost) - 2)
    with pytest.raises(InputError, match=rf"^{len(lost)} of 24 requests have no usable answer.*max_refused \(0.1\)"):
        world.grade(max_refused=0.1)


def thinking(reasoning="5 + 1 is 6", answer=r"\boxed{6}", finish_reason="stop"):
    return lambda request: (200, chat_reply(answer, finish_reason, 20, reasoning_content=reasoning))


def test_kept_reasoning_is_trained_on_by_the_template_and_a_column(world):
    world.endpoint.answer = thinking()
    with pytest.raises(InputError, match="say what becomes of it in rollouts.engine.reasoning"):
        world.ask()
    template = "<think>\n{reasoning}\n</think>\n\n{answer}"
    rows, _ = world.ask(reasoning="keep", reasoning_template=template)
    assert {row["completion"] for row in rows} == {"<think>\n5 + 1 is 6\n</think>\n\n\\boxed{6}"}
    frame, _ = world.grade()
    assert set(frame.reasoning) == {"5 + 1 is 6"} and frame.reward.sum() == 2, "the box of the answer is graded"
    dropped, asked = world.ask(reasoning="drop")
    assert asked == 0 and {row["completion"] for row in dropped} == {r"\boxed{6}"}
    assert dropped[0]["n_tokens"] < rows[0]["n_tokens"] and dropped[0]["billed_tokens"] == rows[0]["billed_tokens"]
    frame, _ = world.grade()
    assert set(frame.reasoning) == {""}
    with pytest.raises(InputError, match="say what becomes of it"):
        world.ask()


def test_what_was_asked_and_what_came_is_data_without_a_date(world):
    world.ask()
    prices = {"prompt": 2.0, "cached": 0.5, "completion": 10.0}
    frame, summary = world.grade(prices=prices)
    assert list(frame.columns[: len(ROLLOUTS)]) == ROLLOUTS.names and set(frame.model) == {"teacher-0731"}
    assert summary.price == pytest.approx((24 * 6 * 2.0 + 24 * 4 * 0.5 + 24 * 7 * 10.0) / 1e6)
    record = json.loads((world.root / "rollouts" / "teacher.json").read_text())
    assert record["asked"] == world.cfg and record["models"] == {"teacher-0731": 24} == {**record["models"]}
    assert record["tokens"] == {"prompt_tokens": 240, "cached_tokens": 96, "billed_tokens": 168, "reasoning_tokens": 0}
    before = (world.root / "rollouts" / "teacher.json").read_bytes()
    world.grade(prices=prices)
    assert (world.root / "rollouts" / "teacher.json").read_bytes() == before


def test_an_answer_without_usage_costs_the_price_and_nothing_else(world):
    world.endpoint.answer = lambda request: (200, chat_reply("x", "stop", None))
    rows, _ = world.ask()
    assert all(row["billed_tokens"] is None and row["n_tokens"] > 0 for row in rows)
    frame, summary = world.grade(prices={"prompt": 1.0, "cached": None, "completion": 1.0})
    assert len(frame) == 24 and pd.isna(summary.price)
    assert json.loads((world.root / "rollouts" / "teacher.json").read_text())["price"] is None


def test_empty_and_repeated_completions_are_counted(world):
    world.endpoint.answer = lambda request: (200, chat_reply(" " if request["seed"] % 3 else "same", "stop", 1))
    rows, _ = world.ask()
    _, summary = world.grade()
    texts = [row["completion"] for row in rows]
    assert summary["empty"] == texts.count(" ")
    assert summary.duplicates == sum(a == b for a, b in zip(texts[::2], texts[1::2], strict=True))


def test_the_key_is_in_no_file(world):
    def leaking(request):
        reply = chat_reply(f"{KEY} \\boxed{{1}}", "stop", 1, reasoning_content=KEY)
        if request["seed"] % 4 == 0:
            return 400, {"error": {"message": f"bad key {KEY}, or {KEY[:9]}***{KEY[-4:]}"}}
        return 200, {**reply, "model": KEY, "system_fingerprint": KEY}

    world.endpoint.answer = leaking
    proxy = FaultProxy(world.endpoint.address, hang_seconds=0.2, faults=("rate_limit", "torn", "half"))
    world.cfg |= {"base_url": proxy.url, "reasoning": "keep", "reasoning_template": "{reasoning}{answer}"}
    world.speed["max_refused"] = 1.0
    world.ask()
    world.grade(max_refused=1.0)
    proxy.close()
    files = [path for path in world.root.rglob("*") if path.is_file()]
    assert len(files) >= 6
    for path in files:
        content = path.read_bytes()
        assert not any(KEY[start : start + 8].encode() in content for start in range(len(KEY) - 7)), path
    assert world.endpoint.keys and set(world.endpoint.keys) == {f"Bearer {KEY}"}
