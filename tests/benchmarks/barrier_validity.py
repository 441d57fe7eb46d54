"""How often the interval of a barrier holds its height, and how often a barrier is seen where there is none.

    PYTHONPATH=workflow/scripts python tests/benchmarks/barrier_validity.py [--draws 400] [--bootstrap 2000]

Paths of nine inner points whose height over chord and control is known: a bump, and a plateau at the smallest effect,
where choosing the largest t flatters most. Losses of sequences are skewed, and common to all t or unlike at each. The
baseline is the interval of the largest mean at its own t, value +- 1.96 standard errors.
"""

import argparse

import numpy as np

from lossgeometry.connectivity.verdicts import height, verdicts

INNER = np.linspace(0.1, 0.9, 9)
SHAPES = {"bump": 4 * INNER * (1 - INNER), "plateau": np.ones(9)}
SMALLEST = 0.05


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--bootstrap", type=int, default=2000)
    options = parser.parse_args()
    print("sequences | path | noise | intervals that hold the height | at its own t alone | seen as a barrier")
    for sequences in (20, 50, 200):
        for shape, level in SHAPES.items():
            for noise in ("common", "unlike"):
                held = naive = seen = 0
                for seed in range(options.draws):
                    draw = np.random.default_rng(seed)
                    rows = 1 if noise == "common" else len(INNER)
                    spread = 0.1 * (draw.exponential(size=(rows, sequences)) - 1) * np.ones((len(INNER), 1))
                    control = 0.02 * draw.normal(size=(len(INNER), sequences)) - 0.2
                    excess = SMALLEST * level[:, None] + spread
                    found = height(INNER, excess, control, SMALLEST, options.bootstrap)
                    held += found.difference_low <= SMALLEST <= found.difference_high
                    naive += abs(found.difference - SMALLEST) <= 1.96 * found.difference_se
                    seen += verdicts([found])[0][1] == "barrier"
                shares = " | ".join(f"{count / options.draws:.1%}" for count in (held, naive, seen))
                print(f"{sequences} | {shape} | {noise} | {shares}", flush=True)


if __name__ == "__main__":
    main()
