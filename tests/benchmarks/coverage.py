"""How often 95 % intervals of avg@k hold the truth on 30 problems x 16 samples at 7 %: the table of docs/validity.md.

Each problem has a chance of its own. `normal` is mean +- 1.96 clustered standard errors.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from lossgeometry.evaluation import intervals

PROBLEMS, SAMPLES, MEAN = 30, 16, 0.07


def beta(correlation: float) -> Callable[[np.random.Generator], np.ndarray]:
    """Chances of problems from a beta distribution; the correlation is that of two samples of one problem."""
    size = 1 / correlation - 1
    return lambda generator: generator.beta(MEAN * size, (1 - MEAN) * size, PROBLEMS)


FEW = ([0.01, 0.1, 0.9], [0.82, 0.12, 0.06])
POPULATIONS = {
    "all problems alike": (MEAN, lambda generator: np.full(PROBLEMS, MEAN)),
    **{f"beta, correlation {value}": (MEAN, beta(value)) for value in (0.1, 0.3, 0.5, 0.8)},
    "6 % of problems at 90 %, 12 % at 10 %, the rest at 1 %": (
        float(np.dot(*FEW)),
        lambda generator: generator.choice(FEW[0], p=FEW[1], size=PROBLEMS),
    ),
}
"""What is true, and what draws the chances of the problems."""


def normal(counts: np.ndarray) -> tuple[float, float]:
    shares = counts / SAMPLES
    half = 1.96 * stats.sem(shares)
    return shares.mean() - half, shares.mean() + half


METHODS: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
    "normal": normal,
    "clustered Wilson": lambda counts: intervals.clustered(counts / SAMPLES),
    "beta-binomial": lambda counts: intervals.beta_binomial(counts, SAMPLES),
    "and others": lambda counts: intervals.few_problems(counts, SAMPLES),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print(f"| chances of the problems | {' | '.join(METHODS)} |\n|---|{'---:|' * len(METHODS)}")
    for name, (truth, draw) in POPULATIONS.items():
        generator = np.random.default_rng(0)
        held = dict.fromkeys(METHODS, 0)
        for _ in range(repeats):
            counts = generator.binomial(SAMPLES, draw(generator))
            for method, interval in METHODS.items():
                low, high = interval(counts)
                held[method] += low <= truth <= high
        cells = [f"{100 * count / repeats:.1f} %" for count in held.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
