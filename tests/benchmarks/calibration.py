"""Are the chance levels of the weight geometry right? Unrelated updates, drawn at random, measured as any pair is.

    python tests/benchmarks/calibration.py [--size small|large] [--case CASE] [--fall DECADES]
        [--adapters 2 --sets 6 --seed 101]

Prints, as the tables of docs/validity.md, mean and spread of z = (value - chance) / sd for each statistic and side,
of single modules and pooled over all: 0 and 1 where the chance level is right. The cases are those of
tests/shared/unrelated_updates.py. A dagger marks chance levels that come from shifted layers. About four minutes of
computing, one thread.
"""

import argparse
import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
sys.path[:0] = [str(TESTS.parent / "workflow" / "scripts"), str(TESTS / "shared")]

import numpy as np  # noqa: E402
from unrelated_updates import CASES, PROJECTIONS, Scores, Size, draw_adapters, score  # noqa: E402

SIZES = {"small": Size(96, 96, 8, 4, 40, 6), "large": Size(1024, 2560, 32, 10, 36, 5)}


def table(cases: list[str], found: list[Scores]) -> str:
    lines = ["| statistic | side | " + " | ".join(cases) + " |", "|---|---" + "|---" * len(cases) + "|"]
    for metric, side in found[0]:
        cells = []
        for scores in found:
            z, shifted = np.array(scores[metric, side]).T
            mark = " †" if shifted.mean() > 0.5 else ""
            cells.append(f"{z.mean() + 0.0:+.2f}, {z.std(ddof=1):.2f}{mark}")
        lines.append(f"| {metric} | {side} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scores_of(case: str, size: Size, options: argparse.Namespace) -> tuple[Scores, Scores]:
    """Return the scores of all pairs within each of several sets of adapters."""
    total: tuple[Scores, Scores] = {}, {}
    for seed in range(options.seed, options.seed + options.sets):
        for scores, more in zip(total, score(draw_adapters(case, size, options.fall, seed), size.k), strict=True):
            for key, values in more.items():
                scores.setdefault(key, []).extend(values)
    return total


def main(options: argparse.Namespace) -> None:
    cases = [options.case] if options.case else list(CASES)
    for name in [options.size] if options.size else SIZES:
        size = SIZES[name]._replace(**({"adapters": options.adapters} if options.adapters else {}))
        found = [scores_of(case, size, options) for case in cases]
        modules = size.layers * len(PROJECTIONS)
        pairs = options.sets * size.adapters * (size.adapters - 1) // 2
        print(f"\nr = {size.r}, n = {size.n}, m = {size.m}, k = {size.k}, {modules} modules, {pairs} pairs")
        for label, index in (("of single modules", 0), (f"pooled over {modules} modules", 1)):
            print(f"\nMean and spread of z, {label}:\n\n{table(cases, [pair[index] for pair in found])}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, help="r = 8, n = 96 or r = 32, n = 2560 (default: both)")
    parser.add_argument("--case", choices=CASES, help="default: all")
    parser.add_argument("--fall", type=float, default=1.0, help="decades over which the singular values of B fall")
    parser.add_argument("--sets", type=int, default=1, help="of adapters, each with draws of its own (default: 1)")
    parser.add_argument(
        "--adapters", type=int, help="in each set, of which all pairs are measured (default: 6, large 5)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first set (default: 1)")
    main(parser.parse_args())
