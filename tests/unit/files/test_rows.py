"""A row of pairs: only what is not current is made, whatever became of the row, and the bytes are those of a row made afresh."""

import json

import pytest

from lossgeometry.files.rows import files_of, make_row, pair_id, unpacked

PAIRS = [("a", "c"), ("b", "c")]


class Experiment:
    """Pairs whose files tell what they were made of, and a list of those that were made."""

    def __init__(self, root):
        self.row = root / "rows" / "c" / "stage.zip"
        self.pairs = root / "pairs"
        self.runs = {"a": 1, "b": 1, "c": 1, "new": 1}
        self.made = []

    def run(self, pairs=PAIRS, broken=()):
        """Make the row as a job does: what it declared is removed before; return the pairs that were made."""
        self.row.unlink(missing_ok=True)
        self.made = []
        make_row(self.row, pairs, ("x.csv", "deep/y.csv"), self.made_of, lambda *pair: self.make(*pair, broken))
        return self.made

    def made_of(self, a, b):
        return [self.runs[a], self.runs[b]]

    def make(self, a, b, folder, broken):
        if (a, b) in broken:
            raise KeyboardInterrupt
        self.made.append((a, b))
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "x.csv").write_text(f"{a}{self.runs[a]} {b}{self.runs[b]}")
        (folder / "deep" / "y.csv").write_text("y")

    def content(self, pairs=PAIRS):
        with unpacked([self.row]) as folder:
            return [file.read_text() for file in files_of(folder, pairs, "x.csv")]


@pytest.fixture
def experiment(tmp_path):
    made = Experiment(tmp_path)
    assert made.run() == PAIRS
    return made


def test_the_row_holds_the_files_of_its_pairs(experiment):
    assert experiment.content() == ["a1 c1", "b1 c1"]
    assert [file.read_text() for file in files_of(experiment.pairs, PAIRS, "deep/y.csv")] == ["y", "y"]


def test_a_row_that_runs_again_for_nothing_makes_no_pair_and_gives_the_same_bytes(experiment):
    before = experiment.row.read_bytes()
    files = {path: path.stat().st_mtime_ns for path in experiment.pairs.rglob("*.*")}
    assert experiment.run() == []
    assert experiment.row.read_bytes() == before
    assert files == {path: path.stat().st_mtime_ns for path in experiment.pairs.rglob("*.*")}


def test_only_the_pair_whose_run_changed_is_made(experiment):
    experiment.runs["a"] = 2
    assert experiment.run() == [("a", "c")]
    assert experiment.content() == ["a2 c1", "b1 c1"]


def test_a_run_that_is_inserted_or_removed_leaves_the_other_pairs_alone(experiment):
    three = [PAIRS[0], ("new", "c"), PAIRS[1]]
    assert experiment.run(three) == [("new", "c")]
    assert experiment.run(three[1:]) == []
    assert experiment.content(three[1:]) == ["new1 c1", "b1 c1"]


def test_a_killed_row_continues_with_the_pairs_that_it_lacks(experiment, tmp_path):
    experiment.runs["c"] = 2
    with pytest.raises(KeyboardInterrupt):
        experiment.run(broken=PAIRS[1:])
    assert experiment.made == PAIRS[:1] and not experiment.row.exists()
    assert experiment.run() == PAIRS[1:]
    afresh = Experiment(tmp_path / "afresh")
    afresh.runs["c"] = 2
    afresh.run()
    assert experiment.row.read_bytes() == afresh.row.read_bytes()


@pytest.mark.parametrize("name", ["x.csv", "deep/y.csv", ".stage.json"])
@pytest.mark.parametrize("text", [None, "damaged", json.dumps({"made_of": "another"})])
def test_a_pair_with_a_file_that_is_not_what_was_written_is_made_again(experiment, name, text):
    before = experiment.row.read_bytes()
    path = experiment.pairs / pair_id(*PAIRS[0]) / name
    path.unlink() if text is None else path.write_text(text)
    assert experiment.run() == PAIRS[:1]
    assert experiment.row.read_bytes() == before
