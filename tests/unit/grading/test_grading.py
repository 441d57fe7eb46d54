"""The grading processes: deadlines, deaths, order, memory. What verdicts are right is in test_grading_table.py."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from itertools import count
from pathlib import Path

import pytest
from processes import alive, wait_for

from lossgeometry import preloading
from lossgeometry.grading import grader as grading
from lossgeometry.grading import pool as worker_pool
from lossgeometry.grading.answers import extract_box
from lossgeometry.grading.grader import Answer, Grader, grade

TOWER = r"\dfrac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}"
HANGING = [TOWER, r"\frac{1}{" * 25 + "2" + "}" * 25, "(" * 900 + "1" + ")" * 900]
# Each of these ends by itself: too long, out of the parser's reach, or not mathematics at all.
HARMLESS = [
    "9" * 1999,
    "9" * 1_000_000,
    "\ud800",
    "\x00\x07",
    "\u202e",
    r"\\" * 500,
]


def boxed(gold, box, finish_reason="stop"):
    return Answer(gold, rf"so \boxed{{{box}}}", finish_reason)


@pytest.fixture(scope="module")
def grader():
    """Two workers for the tests that leave them alive: a start costs a second."""
    with Grader(workers=2, deadline_seconds=5.0) as shared:
        yield shared


@pytest.mark.slow
def test_hostile_answers_end_at_their_deadline_and_harm_no_neighbour():
    neighbour = boxed(r"\frac{1}{2}", "0.5")
    items = [item for box in HANGING + HARMLESS for item in (boxed("5", box), neighbour)]
    verdicts = [verdict.verdict for verdict in grade(items, workers=2, deadline_seconds=0.5)]
    assert verdicts[1::2] == ["correct"] * (len(items) // 2)
    assert verdicts[: 2 * len(HANGING) : 2] == ["timeout"] * len(HANGING)
    assert set(verdicts[2 * len(HANGING) :: 2]) <= {"wrong", "no_answer"}


@pytest.mark.slow
def test_workers_that_are_forks_judge_and_die_as_others_do(monkeypatch):
    # Each at least ten times above or below the deadline: a busy machine makes the same work cost up to three times the CPU.
    items = [boxed("5", box) for box in HANGING]
    items += [boxed(gold, box) for box in (*HARMLESS, r"\frac{2}{4}") for gold in ("0.5", "(1,2)")]
    alone = list(grade(items, workers=1, deadline_seconds=0.5))
    address = preloading.variable_of("verdicts")
    monkeypatch.setattr(preloading, "DRIVERS", ())
    monkeypatch.setenv(address, "")
    preloading.start("verdicts", preloading.IMPORTED["verdicts"])

    def forks():
        """Processes with the command line of the preloaded one, but for itself."""
        running = subprocess.run(
            ["ps", "-e", "-ww", "-o", "stat,args"], capture_output=True, text=True, check=True
        ).stdout
        return sum(os.environ[address] in line and not line.startswith("Z") for line in running.splitlines()) - 1

    with Grader(workers=2, deadline_seconds=0.5) as open_grader:
        assert list(open_grader.grade(items)) == alone
        assert forks() >= 1
    wait_for("the end of the forks", lambda: forks() == 0, 30)


@pytest.mark.slow
def test_a_hostile_gold_is_a_timeout_and_a_cut_hostile_answer_is_truncated():
    items = [boxed(TOWER, "5"), boxed("5", TOWER, "length")]
    assert [verdict.verdict for verdict in grade(items, workers=2, deadline_seconds=0.2)] == ["timeout", "truncated"]


@pytest.mark.parametrize(
    "text",
    [r"\boxed{" * 100_000, r"\boxed{1}, " * 100_000, r"\boxed{" * 50_000 + "5" + "}" * 50_000, "{" * 1_000_000]
    + ["\\" * 1_000_000 + "boxed{5}", r"\boxed" + " " * 1_000_000 + "{5}", "<b>\u202e\ud800" * 200_000 + r"\boxed{5}"],
)
def test_megabyte_completions_are_read_in_linear_time(text):
    """Quadratic scanning of these texts takes minutes; the suite's time limit is the assertion."""
    assert extract_box(text) is None or len(extract_box(text)) <= len(text)


def test_verdicts_come_in_order_with_any_number_of_workers(grader):
    items = [boxed(rf"\frac{{{n}}}{{7}}", rf"\frac{{{2 * n}}}{{{14 if n % 3 else 15}}}") for n in range(1, 13)]
    expected = ["correct" if n % 3 else "wrong" for n in range(1, 13)]
    assert [verdict.verdict for verdict in grade(items, 1, 5.0)] == expected
    assert [verdict.verdict for verdict in grader.grade(items)] == expected


def test_equal_pairs_are_judged_once(grader, monkeypatch):
    submitted = []
    submit = grader.pool.submit
    monkeypatch.setattr(grader.pool, "submit", lambda task: (submitted.append(task), submit(task)))
    items = [boxed(r"\frac{1}{4}", box) for box in ("0.25", "0.75", "0.25 ", r"$0.25$")] * 500
    assert sum(verdict.correct for verdict in grader.grade(items)) == 1500
    assert len(submitted) == 2


def test_forgetting_old_pairs_changes_no_verdict(grader, monkeypatch):
    monkeypatch.setattr(grading, "REMEMBERED", 1)
    items = [boxed("0.5", rf"\frac{{{n}}}{{4}}") for n in (1, 2, 3, 2, 1, 2)]
    assert [verdict.correct for verdict in grader.grade(items)] == [False, True, False, True, False, True]


@pytest.mark.slow
def test_an_endless_stream_is_read_no_further_than_the_window(grader):
    taken = count()
    stream = (boxed("0.5", rf"\frac{{{next(taken) % 3}}}{{2}}") for _ in count())
    verdicts = grader.grade(stream)
    assert [next(verdicts).correct for _ in range(5)] == [False, True, False, False, True]
    assert next(taken) <= grading.WINDOW + 6


def test_memory_does_not_grow_with_the_number_of_answers():
    items = (Answer(str(n % 7), "x" * 1000 + rf"\boxed{{{n}}}", "stop") for n in range(20_000))
    tracemalloc.start()
    assert sum(verdict.correct for verdict in grade(items, 1, 5.0)) == 7
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # of 20 MB of completions


@pytest.mark.slow
def test_a_worker_killed_by_somebody_else_costs_no_answer():
    with Grader(workers=1, deadline_seconds=5.0) as grader:
        list(grader.grade([boxed("0.5", r"\frac{2}{4}")]))
        verdicts = grader.grade([boxed("0.5", r"\frac{3}{6}")])
        os.kill(grader.pool.workers[0].process.pid, signal.SIGKILL)
        assert [verdict.verdict for verdict in verdicts] == ["correct"]


def test_the_deadline_is_computing_time_so_a_busy_machine_changes_no_verdict():
    with Grader(workers=1, deadline_seconds=0.5) as grader:
        list(grader.grade([boxed("0.5", r"\frac{2}{4}")]))
        pid = grader.pool.workers[0].process.pid
        os.kill(pid, signal.SIGSTOP)
        _, task = grader._enter(boxed("0.5", r"\frac{3}{6}"))
        time.sleep(1.5)
        os.kill(pid, signal.SIGCONT)
        assert grader._settle(None, False, task).verdict == "correct"
        assert grader.pool.workers[0].process.pid == pid


def test_a_worker_that_waits_instead_of_computing_is_killed_too(monkeypatch):
    monkeypatch.setattr(worker_pool, "WALL_PER_CPU", 1.0)
    with Grader(workers=1, deadline_seconds=0.5) as grader:
        list(grader.grade([boxed("0.5", r"\frac{2}{4}")]))
        os.kill(grader.pool.workers[0].process.pid, signal.SIGSTOP)
        assert [verdict.verdict for verdict in grader.grade([boxed("0.5", r"\frac{3}{6}")])] == ["timeout"]


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(worker_pool, "WORKER", tmp_path / "absent.py")
    with pytest.raises(RuntimeError, match="grading worker did not start .*absent.py"):
        list(grade([boxed("0.5", r"\frac{2}{4}")], 1, 5.0))


def test_no_worker_outlives_an_abandoned_or_killed_caller():
    verdicts = grade([boxed("5", TOWER), boxed("0.5", r"\frac{2}{4}")] * 3, 1, 60.0)
    with Grader(workers=1, deadline_seconds=60.0) as grader:
        grader._enter(boxed("5", TOWER))
        pid = grader.pool.workers[0].process.pid
    assert not alive(pid)
    verdicts.close()
    code = (
        "from lossgeometry.grading.grader import Answer, Grader\n"
        "grader = Grader(1, 2.0)\n"
        f"grader._enter(Answer('5', r'\\boxed{{{TOWER}}}', 'stop'))\n"
        "while not grader.pool.workers[0].task: grader.pool.step()\n"
        "print(grader.pool.workers[0].process.pid, flush=True)\n"
        "grader.pool.step()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as caller:
        pid = int(caller.stdout.readline())
        assert alive(pid)
        caller.kill()
    wait_for("the end of the worker", lambda: not alive(pid), 30)


def test_workers_of_a_trainer_do_not_load_torch():
    pytest.importorskip("torch")
    with Grader(workers=1, deadline_seconds=5.0) as grader:
        assert next(grader.grade([boxed("0.5", r"\frac{2}{4}")])).correct
        maps = Path(f"/proc/{grader.pool.workers[0].process.pid}/maps").read_text()
    assert "python" in maps and "torch" not in maps
