"""Grading in killable processes: in input order, in bounded memory, each distinct answer once.

A completion is judged by its final box only. Processes, not threads or alarms, because SymPy can hang inside
arithmetic that no Python signal interrupts; they do not inherit this process's memory, so a trainer may grade too.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator

from lossgeometry.grading.answers import MAXIMUM_CHARACTERS, Answer, Verdict, extract_box
from lossgeometry.grading.graders import DEFAULT, grader_module
from lossgeometry.grading.pool import Task, WorkerPool

__all__ = ["Answer", "Grader", "Verdict", "check_golds", "grade"]

WINDOW = 1024
REMEMBERED = 1 << 15


def grade(items: Iterable[Answer], workers: int, deadline_seconds: float, grader: str = DEFAULT) -> Iterator[Verdict]:
    """Judge answers, in their order. `deadline_seconds` is CPU time per answer; over it the verdict is `timeout`."""
    with Grader(workers, deadline_seconds, grader) as open_grader:
        yield from open_grader.grade(items)


def check_golds(golds: Iterable[str], workers: int, deadline_seconds: float, grader: str = DEFAULT) -> Iterator[bool]:
    """Whether each gold answer can be graded: it parses within the deadline and is equal to itself."""
    boxed = (Answer(gold, rf"\boxed{{{gold}}}", "stop") for gold in golds)
    return (verdict.correct for verdict in grade(boxed, workers, deadline_seconds, grader))


class Grader:
    """Keeps its workers between calls of `grade`, as a reward function needs. A context manager, or call `close`.

    Raises InputError when there is no grader of that name.
    """

    def __init__(self, workers: int, deadline_seconds: float, grader: str = DEFAULT) -> None:
        self.module = grader_module(grader)
        self.pool = WorkerPool(grader, workers, deadline_seconds)
        self.tasks: OrderedDict[tuple[str, str], Task] = OrderedDict()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self.pool.close()

    def grade(self, items: Iterable[Answer]) -> Iterator[Verdict]:
        """Judge answers, in their order, holding at most `WINDOW` of them."""
        window: deque[tuple[str | None, bool, Task]] = deque()
        for item in items:
            extracted, task = self._enter(item)
            window.append((extracted, item.finish_reason == "length", task))
            while window and (window[0][2].outcome or len(window) >= WINDOW):
                yield self._settle(*window.popleft())
        while window:
            yield self._settle(*window.popleft())

    def _enter(self, item: Answer) -> tuple[str | None, Task]:
        """The item's box, and the task that judges it: settled at once where no algebra is needed."""
        gold = self.module.normalise(item.gold)
        extracted = extract_box(item.completion)
        if not gold:
            return extracted, Task("", "", "unparsable_gold")
        if extracted is None:
            return None, Task("", "", "no_answer")
        if len(extracted) > MAXIMUM_CHARACTERS:
            return extracted[:MAXIMUM_CHARACTERS], Task("", "", "wrong")
        box = self.module.normalise(extracted)
        if not box:
            return extracted, Task("", "", "no_answer")
        decided = self.module.decide(gold, box)
        if decided is not None:
            return extracted, Task("", "", decided)
        return extracted, self._task(gold, box)

    def _task(self, gold: str, box: str) -> Task:
        """The task of this pair: the one that already judged it or is about to, else a new one in the queue."""
        task = self.tasks.pop((gold, box), None)
        if task is None:
            task = Task(gold, box)
            self.pool.submit(task)
        self.tasks[gold, box] = task  # at the young end
        if len(self.tasks) > REMEMBERED:
            self.tasks.popitem(last=False)
        return task

    def _settle(self, extracted: str | None, cut: bool, task: Task) -> Verdict:
        """Wait for the task. A cut completion that is not correct is `truncated`, whatever its box was worth."""
        while task.outcome is None:
            self.pool.step()
        outcome = "truncated" if cut and task.outcome not in ("correct", "unparsable_gold") else task.outcome
        return Verdict(extracted, outcome == "correct", outcome)
