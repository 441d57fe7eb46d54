"""Speed and agreement of the graders against calling math-verify on every completion.

    PYTHONPATH=workflow/scripts python tests/benchmarks/grading.py [--answers 2000] [--workers 2] [--confusion]

The baseline is what harnesses do: `verify(parse(gold), parse(completion))` in this process, its alarms on, each
completion anew. Both judge the same completions: every row of the hand-judged table, and rollouts of K samples per
prompt in which answers repeat, as they do in practice. `--confusion` prints the table of docs/validity.md alone.
"""

import argparse
import logging
import random
import time
from collections import Counter
from pathlib import Path

from math_verify import LatexExtractionConfig, parse, verify

from lossgeometry.files import jsonl
from lossgeometry.grading.grader import Answer, grade

TABLE = Path(__file__).parents[1] / "unit" / "grading" / "answers.jsonl"
SAMPLES = 8
DEADLINE = 5.0
BOX = [LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)]
ALGEBRA = [r"\frac{%d}{%d}", r"%d\sqrt{%d}", "(%d,%d)", r"\frac{%d\pi}{%d}", "%dx^2+2x+%d", "[%d,1%d)", "%d,%d"]


def naive(answer: Answer) -> bool:
    """One completion, one call, as the library's documentation shows it (golds wrapped)."""
    return verify(parse(f"${answer.gold}$"), parse(answer.completion, BOX))


def rollouts(count: int, algebra: bool) -> list[Answer]:
    """Completions of about 1 kB. Integer golds are what GSM8K, AIME and the generated problems have."""
    draw = random.Random(0)
    answers = []
    for _ in range(count // SAMPLES):
        form = draw.choice(ALGEBRA) if algebra else "%d%d"
        first, second = draw.randrange(2, 90), draw.randrange(2, 90)
        for _ in range(SAMPLES):
            box = (
                form
                % draw.choices([(first, second), (second, first), (first + 1, draw.randrange(2, 90))], [6, 1, 1])[0]
            )
            steps = " ".join(f"Step {n}: we have $a_{n} = {draw.randrange(100)}$." for n in range(30))
            answers.append(Answer(form % (first, second), rf"{steps} So the answer is $\boxed{{{box}}}$.", "stop"))
    return answers


def compare(name: str, answers: list[Answer], workers: int) -> None:
    """Print both speeds, their ratio and the verdicts in which they differ."""
    start = time.perf_counter()
    expected = [naive(answer) for answer in answers]
    naive_seconds = time.perf_counter() - start
    start = time.perf_counter()
    verdicts = list(grade(answers, workers, DEADLINE))
    seconds = time.perf_counter() - start
    agree = sum(one.correct == other for one, other in zip(verdicts, expected, strict=True))
    print(
        f"{name}: {len(answers)} answers; "
        f"naive {naive_seconds:.2f} s ({1e3 * naive_seconds / len(answers):.2f} ms each), "
        f"{workers} workers {seconds:.2f} s ({1e3 * seconds / len(answers):.2f} ms each, their start included): "
        f"{naive_seconds / seconds:.1f} times as fast; agreement {100 * agree / len(answers):.2f} %"
    )


def confusion(workers: int) -> None:
    """Print, as Markdown, how often each is right on the hand-judged table, and where ours is not."""
    rows = list(jsonl.read_lines(TABLE))
    answers = [Answer(row["gold"], row["completion"], row["finish_reason"]) for row in rows]
    right = [row["verdict"] == "correct" for row in rows]
    ours = [verdict.correct for verdict in grade(answers, workers, DEADLINE)]
    alone = [naive(answer) for answer in answers]
    print("| | right, accepted | right, rejected | wrong, rejected | wrong, accepted | agreement |")
    print("|---|---|---|---|---|---|")
    for name, judged in (("`math_verify` here", ours), ("math-verify alone", alone)):
        cells = Counter(zip(right, judged, strict=True))
        counts = [cells[True, True], cells[True, False], cells[False, False], cells[False, True]]
        print(f"| {name} | {' | '.join(map(str, counts))} | {100 * (counts[0] + counts[2]) / len(rows):.1f} % |")
    print("\n| gold answer | box | by hand | here |\n|---|---|---|---|")
    for row, judged in zip(rows, ours, strict=True):
        if judged != (row["verdict"] == "correct"):
            print(f"| `{row['gold']}` | `{row['completion']}` | {row['verdict']} | {row['known']} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--confusion", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.confusion:
        return confusion(options.workers)
    compare("integers", rollouts(options.answers, algebra=False), options.workers)
    compare("algebra", rollouts(options.answers, algebra=True), options.workers)
    confusion(options.workers)


if __name__ == "__main__":
    main()
