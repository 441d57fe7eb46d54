"""Three small adapters to try the command on, without training: `python docs/example/make_adapters.py FOLDER`.

All three start from one initialisation of A, as adapters of one experiment do. `first` and `second` share most of what they write;
`third` has nothing in common with them but A.
"""

import sys
from pathlib import Path

import numpy as np

from lossgeometry import Update

LAYERS, WIDTH, RANK = 6, 64, 8


def make(folder: Path) -> None:
    """Write the three adapters as PEFT folders; equal bytes every time."""
    rng = np.random.default_rng(0)
    modules = [f"model.layers.{layer}.self_attn.{kind}_proj" for layer in range(LAYERS) for kind in "qv"]
    spectrum = np.logspace(0, -1, RANK)
    adapters: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {"first": {}, "second": {}, "third": {}}
    for depth, module in enumerate(modules):
        a = rng.standard_normal((RANK, WIDTH)) / np.sqrt(WIDTH)
        one, other, unrelated = (rng.standard_normal((WIDTH, RANK)) * spectrum for _ in range(3))
        shared = 0.9 - 0.5 * depth / len(modules)  # later layers agree less
        adapters["first"][module] = one, a
        adapters["second"][module] = shared * one + np.sqrt(1 - shared**2) * other, a
        adapters["third"][module] = unrelated, a
    for name, factors in adapters.items():
        Update.from_factors(factors, name).to_peft(folder / name)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
