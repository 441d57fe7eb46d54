"""Problems from data sets of the hub's schemas, on local folders and files."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.problems.datasets import read_problems
from lossgeometry.problems.prompts import fetch_prompts
from lossgeometry.settings.models import Problems
from lossgeometry.settings.tasks import ProblemSet

REVISION = "0" * 40

# Rows as the data sets have them, with the problem and answer that must come out, or None where the row is unusable.
SETS = {
    "gsm8k": [
        ({"question": "Two and two?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"}, ("Two and two?", "4")),
        ({"question": "A lot?", "answer": "So\n#### 1,080"}, ("A lot?", "1080")),
        ({"question": "No mark?", "answer": "4"}, None),
    ],
    "aime": [
        ({"problem_idx": 1, "problem": "Find it.", "answer": 73}, ("Find it.", "73")),
        ({"problem_idx": 2, "problem": "And this.", "answer": 5}, ("And this.", "5")),
    ],
    "math500": [
        (
            {
                "problem": "Halve.",
                "solution": "s",
                "answer": r"\frac{1}{2}",
                "subject": "a",
                "unique_id": "test/1.json",
            },
            ("Halve.", r"\frac{1}{2}"),
        ),
    ],
    "arc": [
        (
            {
                "id": "Mercury_1",
                "question": "Which melts?",
                "choices": {"text": ["iron", "ice"], "label": ["A", "B"]},
                "answerKey": "B",
            },
            ("Which melts?\n(A) iron\n(B) ice", "B"),
        ),
        (
            {
                "id": "NYSED_2",
                "question": "Which flies?",
                "choices": {"text": ["a bird", "a cow", "a pine"], "label": ["1", "2", "3"]},
                "answerKey": "1",
            },
            ("Which flies?\n(A) a bird\n(B) a cow\n(C) a pine", "A"),
        ),
        (
            {
                "id": "Broken_3",
                "question": "Which?",
                "choices": {"text": ["this", ""], "label": ["A", "B"]},
                "answerKey": "A",
            },
            None,
        ),
    ],
    "deepscaler": [
        ({"problem": "Root?", "answer": r"\sqrt{2}", "solution": "s"}, ("Root?", r"\sqrt{2}")),
        ({"problem": "Root?", "answer": r"\sqrt{2}", "solution": "again"}, None),
        ({"problem": "Empty?", "answer": "", "solution": "s"}, None),
        ({"problem": "", "answer": "1", "solution": "s"}, None),
        ({"problem": "Broken?", "answer": r"\frac{", "solution": "s"}, None),
    ],
}


def found(problems):
    return sorted((row["problem"], row["answer"]) for row in read_problems(problems, 1, 5.0))


@pytest.fixture(autouse=True)
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("schema", SETS)
def test_a_data_set_of_each_schema_is_read_as_the_hub_serves_it(tmp_path, schema, capsys):
    folder = tmp_path / "repository"
    (folder / "main").mkdir(parents=True)
    pq.write_table(
        pa.Table.from_pylist([row for row, _ in SETS[schema]]), folder / "main" / "test-00000-of-00001.parquet"
    )
    front = {"configs": [{"config_name": "main", "data_files": [{"split": "test", "path": "main/test-*"}]}]}
    (folder / "README.md").write_text(f"---\n{json.dumps(front)}\n---\n")
    read = {"schema": schema, "grader": "choice" if schema == "arc" else "math_verify"}
    block = Problems(source="hub", name=str(folder), subset="main", split="test", revision=REVISION, **read)
    expected = sorted(answer for _, answer in SETS[schema] if answer)
    assert found(block) == expected
    dropped = len(SETS[schema]) - len(expected)
    said = [line for line in capsys.readouterr().out.splitlines() if "dropped" in line]
    assert sum(int(line.split("dropped ")[1].split()[0]) for line in said) == dropped
    # The same rows from a file.
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row, _ in SETS[schema]))
    assert found(Problems(source="file", name=str(file), **read)) == expected


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{n}+1", "answer": n + 1}) + "\n" for n in range(30)))
    return path


def written(tmp_path, file, part, **more):
    block = Problems(source="file", name=str(file), **{key: more.pop(key) for key in ("count", "seed") if key in more})
    cfg = {"part": part, "deadline_seconds": 5.0, **block.model_dump(mode="json", by_alias=True), **more}
    fetch_prompts(ProblemSet(**cfg), 1, tmp_path / "out.jsonl")
    return [row["problem"] for row in read_lines(tmp_path / "out.jsonl")]


def test_the_order_is_a_shuffle_by_the_seed_and_ids_are_those_of_the_rows(file):
    blocks = [Problems(source="file", name=str(file), seed=seed) for seed in (0, 0, 1)]
    one, again, other = (read_problems(block, 1, 5.0) for block in blocks)
    assert one == again != other
    assert sorted(row["id"] for row in one) == [f"{n:05d}" for n in range(30)]
    assert all(row["problem"] == f"{int(row['id'])}+1" for row in one + other)


def test_training_and_held_out_problems_are_disjoint_and_a_longer_list_begins_with_a_shorter(tmp_path, file):
    train = written(tmp_path, file, "train", count=20, heldout_count=5)
    held = written(tmp_path, file, "heldout", count=20, heldout_count=5)
    assert (len(train), len(held)) == (20, 5) and not set(train) & set(held)
    assert written(tmp_path, file, "train", count=8, heldout_count=5) == train[:8]
    everything = [written(tmp_path, file, part, heldout_count=5) for part in ("train", "heldout")]
    assert [len(part) for part in everything] == [25, 5] and len(set(sum(everything, []))) == 30
    assert len(written(tmp_path, file, "benchmark")) == 30
    assert len(written(tmp_path, file, "benchmark", count=7)) == 7


def test_errors_say_what_to_change(tmp_path, file):
    with pytest.raises(InputError, match="has 30 usable problems, but 40 are asked for; lower the count"):
        written(tmp_path, file, "benchmark", count=40)
    with pytest.raises(InputError, match="28 and 5 held-out are asked for"):
        written(tmp_path, file, "train", count=28, heldout_count=5)
    with pytest.raises(InputError, match="lacks the column question of the schema gsm8k"):
        found(Problems(source="file", name=str(file), schema="gsm8k"))
    file.write_text("[1]\n{}\n")
    with pytest.raises(InputError, match=r"mine\.jsonl, line 1: not a JSON object"):
        found(Problems(source="file", name=str(file)))
    file.write_text("")
    with pytest.raises(InputError, match="holds no usable problem"):
        found(Problems(source="file", name=str(file)))


def test_a_data_set_that_cannot_be_loaded_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "test.jsonl").write_text('{"problem": "1+1", "answer": "2"}\n')
    for name, more in (("repository", {"split": "train"}), ("repository", {"subset": "none"}), ("absent/set", {})):
        name = str(tmp_path / name) if name == "repository" else name
        with pytest.raises(InputError, match=r"cannot load .* at 000000000000 \(.*\); check name, subset, split"):
            found(Problems(source="hub", name=name, revision=REVISION, **more))
