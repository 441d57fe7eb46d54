"""From completions to the data set, and rollouts that the user brings."""

import json
import tracemalloc

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from model_folders import save_model

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.files.text import well_formed
from lossgeometry.rollouts import rewards as grading
from lossgeometry.rollouts.bought import Bought
from lossgeometry.rollouts.importing import import_rollouts
from lossgeometry.rollouts.rewards import ROLLOUTS, grade_answers, grade_heldout, grade_rollouts
from lossgeometry.settings.tasks import ImportedRollouts

HOSTILE = [
    rb"lone \ud800 surrogates".decode("unicode_escape"),
    "".join(map(chr, range(32))) + "\x7f\x85\u2028",
    "</script><script>alert(1)</script>",
    "\u202eright to left\u2066",
    "x" * 1_000_000,
    "😀",
]


def completion(problem_id, sample, text, finish_reason="stop", tokens=5):
    row = {"problem_id": problem_id, "sample": sample, "decoding": "sampled", "seed": 0, "completion": text}
    return {**row, "finish_reason": finish_reason, "n_tokens": tokens}


def graded(folder, train, held, shards):
    """Grade shards of completions and return the data set, the held-out solutions and the summary."""
    for name, rows in (("train", train), ("heldout", held)):
        write_atomic(folder / f"{name}.jsonl", rows)
    for index, rows in enumerate(shards):
        write_atomic(folder / f"{index}.jsonl", rows)
    parts = [folder / f"{index}.jsonl" for index in range(len(shards))]
    data_set, summary = folder / "rollouts.parquet", folder / "summary.csv"
    grade_rollouts(folder / "train.jsonl", parts, 1, 5.0, data_set, summary, Bought({}))
    write_atomic(folder / "all.jsonl", (row for rows in shards for row in rows))
    grade_heldout(folder / "heldout.jsonl", folder / "all.jsonl", 1, 5.0, folder / "solutions.jsonl", Bought({}))
    frame = pd.read_parquet(folder / "rollouts.parquet")
    return frame, list(read_lines(folder / "solutions.jsonl")), pd.read_csv(folder / "summary.csv").iloc[0]


def problems(prefix, count):
    return [{"id": f"{prefix}{index}", "problem": f"{index}+1", "answer": str(index + 1)} for index in range(count)]


def test_rollouts_are_ordered_by_prompt_and_sample_whatever_the_shards(tmp_path):
    train, held = problems("t", 5), problems("h", 2)
    rows = [
        completion(row["id"], sample, rf"\boxed{{{int(row['answer']) + (sample == 1)}}}", tokens=sample + 1)
        for row in train + held
        for sample in range(3)
    ]
    one, two = tmp_path / "one", tmp_path / "two"
    frame, solutions, summary = graded(one, train, held, [rows])
    again, _, _ = graded(two, train, held, [rows[5:], rows[2:5], rows[:2]])
    assert (one / "rollouts.parquet").read_bytes() == (two / "rollouts.parquet").read_bytes()
    assert list(frame.columns) == ROLLOUTS.names and len(frame) == len(again) == 15
    assert list(zip(frame.prompt_id, frame["sample"], strict=True)) == [
        (f"t{i}", s) for i in range(5) for s in range(3)
    ]
    assert list(frame.reward) == [1.0, 0.0, 1.0] * 5 and list(frame.verdict) == ["correct", "wrong", "correct"] * 5
    assert solutions == [{**row, "completion": rf"\boxed{{{row['answer']}}}"} for row in held]
    assert (summary.prompts, summary.rollouts, summary.tokens) == (5, 15, 30)
    assert (summary.groups_mixed, summary.correct) == (1.0, pytest.approx(2 / 3, abs=1e-6))


def test_hostile_completions_survive_and_harm_no_neighbour(tmp_path):
    train = problems("t", len(HOSTILE))
    rows = []
    for row, text in zip(train, HOSTILE, strict=True):
        rows += [completion(row["id"], 0, text + rf"\boxed{{{row['answer']}}}"), completion(row["id"], 1, text)]
    frame, _, _ = graded(tmp_path, train, [], [rows])
    assert list(frame.reward) == [1.0, 0.0] * len(HOSTILE)
    for text, stored in zip(HOSTILE, frame.completion[1::2], strict=True):
        assert stored == well_formed(text)
    assert well_formed(HOSTILE[0]) == "lone \ufffd surrogates"
    assert [well_formed(text) for text in HOSTILE[1:]] == HOSTILE[1:]
    write_atomic(tmp_path / "answers.jsonl", rows)
    grade_answers(tmp_path / "answers.jsonl", tmp_path / "train.jsonl", 1, 5.0, tmp_path / "graded.jsonl")
    assert [row["completion"] for row in read_lines(tmp_path / "graded.jsonl")] == [row["completion"] for row in rows]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800", "\ud83d\ude00", "\ud83dx", ""])
def test_repaired_text_can_be_encoded_and_well_formed_text_is_left_alone(text):
    repaired = well_formed(text)
    assert well_formed(repaired) == repaired
    assert repaired.encode().decode() == repaired
    assert len(repaired) == (1 if text == "\ud83d\ude00" else len(text))


def test_grading_memory_does_not_grow_with_the_completions(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "GROUP_CHARACTERS", 1 << 20)
    train = problems("t", 100)
    tracemalloc.start()
    rows = (completion(row["id"], sample, "y" * 20_000 + r"\boxed{1}") for row in train for sample in range(20))
    frame, _, _ = graded(tmp_path, train[:1], train[1:], [rows])
    assert len(frame) == 20 and tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_no_completion_for_the_training_prompts_is_an_error(tmp_path):
    with pytest.raises(InputError, match="wrote no completions"):
        graded(tmp_path, problems("t", 1), problems("h", 1), [[completion("h0", 0, "1")]])


# Rollouts brought by the user.


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("student"))


def brought(folder, student, rows, kind="jsonl", heldout=1, seed=0):
    """Import rows and return (train, heldout, completions)."""
    folder.mkdir(exist_ok=True)
    file = folder / f"mine.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    outputs = [folder / f"{name}.jsonl" for name in ("train", "heldout", "completions")]
    cfg = {"heldout_prompts": heldout, "seed": seed, "deadline_seconds": 5.0}
    import_rollouts(ImportedRollouts(**cfg), file, student, 1, *outputs)
    return [list(read_lines(path)) for path in outputs]


MINE = [
    {"problem": f" {index}+1 ", "answer": index + 1, "completion": rf"\boxed{{{value}}}", "correct": False}
    for value in (1, 2, 3)
    for index in range(4)
]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_problems_and_completions_follow_from_the_file(tmp_path, student, kind):
    train, held, completions = brought(tmp_path, student, MINE, kind)
    assert sorted(row["problem"] for row in train + held) == [f"{index}+1" for index in range(4)] and len(held) == 1
    assert {row["id"] for row in train + held} == {f"{index:05d}" for index in range(4)}
    assert [row["sample"] for row in completions] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(row["finish_reason"] == "stop" and row["n_tokens"] > 1 for row in completions)
    frame, solutions, _ = graded(tmp_path / "graded", train, held, [completions])
    assert len(frame) == 9 and frame.reward.sum() + len(solutions) == 3, "the file's own verdicts are not looked at"


def test_samples_and_finish_reasons_are_kept_and_counted(tmp_path, student):
    rows = [{**MINE[0], "sample": 7, "finish_reason": "length"}, {**MINE[0], "sample": 2}, {**MINE[1], "sample": None}]
    _, _, completions = brought(tmp_path, student, rows)
    assert [(row["sample"], row["finish_reason"]) for row in completions] == [(7, "length"), (2, "stop"), (0, "stop")]
    assert completions[0]["n_tokens"] == completions[1]["n_tokens"] - 1, "only a finished completion has an end token"


def test_ungradable_problems_are_dropped_with_their_completions_and_counted(tmp_path, student, capsys):
    rows = [*MINE, {"problem": "x", "answer": "", "completion": "1"}, {"problem": "", "answer": "1", "completion": "1"}]
    train, held, completions = brought(tmp_path, student, rows)
    assert len(train + held) == 4 and len(completions) == len(MINE)
    assert "dropped 1 of 6 rows: the answer is empty" in capsys.readouterr().out


def test_hostile_files_are_read(tmp_path, student):
    rows = [{"problem": f"{index}+1", "answer": "1", "completion": text} for index, text in enumerate(HOSTILE)]
    train, held, completions = brought(tmp_path, student, rows, heldout=0)
    assert [row["completion"] for row in completions] == [well_formed(text) for text in HOSTILE] and held == []


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ([{"problem": "1+1", "answer": "2"}], r"row 1, has no completion; every row needs problem, answer, completion"),
        ([{**MINE[0], "completion": 3}], r"row 1: completion is int, not text"),
        ([MINE[0], {**MINE[0], "answer": "7"}], r"row 2: its answer differs from that of an earlier row"),
        ([{**MINE[0], "sample": 1}] * 2, r"row 2: sample 1 of this problem appears twice"),
        ([{**MINE[0], "sample": "a"}], r"row 1: sample is 'a'; use whole numbers"),
        ([{**MINE[0], "finish_reason": "eos"}], r"row 1: finish_reason is 'eos'; use stop, or length"),
    ],
)
def test_bad_rows_are_named(tmp_path, student, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        brought(tmp_path, student, rows, heldout=0)


def test_files_that_are_not_what_they_say_are_refused(tmp_path, student):
    outputs = [tmp_path / name for name in "abc"]
    cfg = {"heldout_prompts": 4, "seed": 0, "deadline_seconds": 5.0}
    for name, content in (("mine.parquet", b"no parquet"), ("mine.jsonl", b"[1]\n{}\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"cannot read .*{name}"):
            import_rollouts(ImportedRollouts(**cfg), tmp_path / name, student, 1, *outputs)
    with pytest.raises(InputError, match="has 4 usable problems, and rollouts.heldout_prompts sets 4 apart"):
        brought(tmp_path, student, MINE, heldout=4)
