"""What debiased CKA reads on states whose similarity is known, and how often its 95 % interval holds that.

    PYTHONPATH=workflow/scripts python tests/benchmarks/hidden_states_validity.py [--draws 20] [--width 2560]

32 sequences of 128 tokens, isotropic states of which a share of the variance lies between sequences: of unrelated
models, whose CKA is 0, and of models that share a part of every token's state. The baseline is HSIC_1 of Song et al.
2012, which takes every token for a draw of its own. Single thread.
"""

import argparse

import numpy as np

from lossgeometry.representations.cka import cka
from lossgeometry.representations.features import centred
from lossgeometry.representations.half_samples import half_samples, interval

SEQUENCES, TOKENS = 32, 128


def states(draw: np.random.Generator, width: int, share: float) -> np.ndarray:
    """Isotropic states, of whose variance a share lies between sequences."""
    between = np.repeat(draw.normal(size=(SEQUENCES, width)), TOKENS, axis=0)
    return np.sqrt(share) * between + np.sqrt(1 - share) * draw.normal(size=between.shape)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--width", type=int, default=2560)
    options = parser.parse_args()
    lengths, single = np.full(SEQUENCES, TOKENS), np.ones(SEQUENCES * TOKENS, dtype=int)
    print("between sequences | in common | CKA | tokens as units | sequences as units | intervals that hold it")
    for common in (0.0, 0.5):
        for share in (0.05, 0.1, 0.2):
            # With z of two models weighted by c, their cross-covariance is c, so that CKA is c^2.
            truth, values, tokens, held = common**2, [], [], 0
            for seed in range(options.draws):
                draw = np.random.default_rng(seed)
                z, e, f = (states(draw, options.width, share) for _ in range(3))
                x, y = (np.sqrt(common) * z + np.sqrt(1 - common) * own for own in (e, f))
                found = cka(centred(x, lengths), centred(y, lengths), half_samples(SEQUENCES, 400, seed))
                value, low, high = interval(found, -1, 1)
                values.append(value)
                held += low <= truth <= high
                if seed < 2:
                    tokens.append(cka(centred(x, single), centred(y, single), np.ones((len(single), 1)))[0])
            print(
                f"{share:.0%} | {common:.0%} | {truth:.2f} | {np.mean(tokens):.3f} | {np.mean(values):.4f}"
                f" (sd {np.std(values):.4f}) | {held} of {options.draws}",
                flush=True,
            )


if __name__ == "__main__":
    main()
