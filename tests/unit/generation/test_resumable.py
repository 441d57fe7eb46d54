"""Generation that is killed at any moment and continued ends with the bytes of an uninterrupted one."""

import random
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from lossgeometry.files.jsonl import append, read_lines
from lossgeometry.generation.generate import generate_resumably
from lossgeometry.generation.requests import Completion, rollout_requests, sample_seed
from lossgeometry.settings.rollouts import Sampling

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
SAMPLING = Sampling()
ROWS = [{"id": f"p{index:03d}", "problem": f"{index}+1"} for index in range(60)]

# A process of its own: it generates 240 hostile completions in units of 7, a few milliseconds each.
CHILD = f"""
import sys, time
from pathlib import Path
sys.path[:0] = [{str(SCRIPTS)!r}, {str(Path(__file__).parent)!r}]
import test_resumable as test
test.run(Path(sys.argv[1]), pause=0.004)
"""


class SeededEngine:
    """Text that is a function of the seed and, as rounding is, of the place in the batch."""

    def __init__(self, unit: int, pause: float = 0.0, stop_after: int | None = None, size: int = 0):
        self.unit, self.pause, self.size = unit, pause, size
        self.batches = 0
        self.stop_after = stop_after

    def generate(self, requests, sampling):
        for start in range(0, len(requests), self.unit):
            time.sleep(self.pause)
            if self.stop_after == self.batches:
                signal.raise_signal(signal.SIGTERM)
            self.batches += 1
            batch = requests[start : start + self.unit]
            yield [self.complete(place, request) for place, request in enumerate(batch)]

    def complete(self, place, request):
        draw = random.Random(f"{request.seed}/{place}")
        text = "".join(map(chr, draw.choices((0, 10, 0x85, 0x202E, 0xD800, 0xDFFF, 0x1F600, 123, 34, 92), k=40)))
        text += "x" * self.size
        return Completion(
            request.problem_id, request.sample, request.decoding, request.seed, text, "stop", draw.randrange(99)
        )


def run(folder: Path, unit: int = 7, rows=ROWS, samples: int = 4, digest: str = "d", **engine) -> list[SeededEngine]:
    loaded = []

    def load():
        loaded.append(SeededEngine(unit, **engine))
        return loaded[0]

    requests = rollout_requests(rows, samples, seed=3)
    generate_resumably(requests, SAMPLING, load, unit, folder / "checkpoints", digest, folder / "out.jsonl")
    return loaded


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return (folder / "out.jsonl").read_bytes()


def test_killed_processes_end_with_the_same_bytes(tmp_path, whole):
    draw = random.Random(11)
    kills = 0
    while not (tmp_path / "out.jsonl").exists():
        child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.DEVNULL)
        partial = tmp_path / "checkpoints" / "d" / "completions.jsonl"
        before = partial.stat().st_size if partial.exists() else 0
        aim = before + draw.randrange(1, len(whole) // 4)
        while child.poll() is None and not (partial.exists() and partial.stat().st_size >= aim):
            time.sleep(0.001)
        if child.poll() is None:
            child.kill()
            kills += 1
        child.wait()
    assert kills >= 3
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_a_file_cut_at_any_place_is_continued(tmp_path, whole):
    draw = random.Random(5)
    for number, cut in enumerate([0, 1, len(whole) - 1, len(whole), *draw.sample(range(len(whole)), 12)]):
        folder = tmp_path / str(number)
        partial = folder / "checkpoints" / "d" / "completions.jsonl"
        partial.parent.mkdir(parents=True)
        partial.write_bytes(whole[:cut])
        run(folder)
        assert (folder / "out.jsonl").read_bytes() == whole
        assert not (folder / "checkpoints").exists()


def test_what_is_complete_is_not_generated_again_and_the_engine_not_loaded(tmp_path, whole):
    partial = tmp_path / "checkpoints" / "d" / "completions.jsonl"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(whole)
    assert run(tmp_path) == []
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_a_stop_signal_keeps_the_batch_and_exits_as_stopped(tmp_path, whole):
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, stop_after=4)
    assert stopped.value.code == 143 and not (tmp_path / "out.jsonl").exists()
    assert len(list(read_lines(tmp_path / "checkpoints" / "d" / "completions.jsonl"))) == 5 * 7
    (engine,) = run(tmp_path)
    assert engine.batches == -(-(240 - 35) // 7)
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_completions_of_other_requests_or_another_configuration_are_not_continued(tmp_path, whole, capsys):
    partial = tmp_path / "checkpoints" / "d" / "completions.jsonl"
    append_to = next(read_lines(_written(tmp_path / "other", whole)))
    partial.parent.mkdir(parents=True)
    append(partial, [{**append_to, "seed": 1}] * 14)
    run(tmp_path)
    assert "they answer other requests" in capsys.readouterr().out
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    with pytest.raises(SystemExit):
        run(tmp_path / "two", stop_after=4)
    run(tmp_path / "two", digest="e")
    assert "another configuration" in capsys.readouterr().err
    assert (tmp_path / "two" / "out.jsonl").read_bytes() == whole


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_memory_is_that_of_requests_and_a_batch_not_of_the_completions(tmp_path):
    rows = [{"id": f"p{index}", "problem": "1+1"} for index in range(500)]
    with pytest.raises(SystemExit):
        run(tmp_path, unit=50, rows=rows, size=20_000, stop_after=20)
    tracemalloc.start()
    run(tmp_path, unit=50, rows=rows, size=20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "out.jsonl").stat().st_size > 40e6
    assert peak < 12e6


def test_seeds_do_not_depend_on_sharding():
    shards = [rollout_requests(ROWS[shard::3], 2, 9) for shard in range(3)]
    one = {(request.problem_id, request.sample): request.seed for request in rollout_requests(ROWS, 2, 9)}
    assert {(request.problem_id, request.sample): request.seed for shard in shards for request in shard} == one
    assert one["p007", 1] == sample_seed(9, "p007", 1)
