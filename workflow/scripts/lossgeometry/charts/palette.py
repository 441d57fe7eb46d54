"""One colour per method, the same in every chart, in light and in dark.

The colours keep a contrast of at least 3 against their background and stay apart under the three kinds of colour-vision
deficiency (simulated after Machado et al. 2009, doi:10.1109/TVCG.2009.113); the tests measure both.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Colour(NamedTuple):
    """A method's colour, as hexadecimal RGB."""

    light: str
    dark: str


METHODS = {
    "sft": Colour("#2c3384", "#4d5ebf"),
    "rft": Colour("#2d97ec", "#71bdfd"),
    "rift": Colour("#3a826b", "#9ee3b9"),
    "dft": Colour("#7d3ebe", "#ad71fd"),
    "offline_grpo": Colour("#c68812", "#e38712"),
    "dpo": Colour("#8a0742", "#aa4174"),
    "online_grpo": Colour("#353d01", "#656c21"),
    "online_dapo": Colour("#857509", "#c7b586"),
    "ipo": Colour("#e85aac", "#e896c8"),
    "simpo": Colour("#884a23", "#9e796b"),
    "kto": Colour("#566186", "#7d7fb4"),
}
BASE = Colour("#5b6470", "#9aa4b2")
BACKGROUND = Colour("#ffffff", "#15181d")


def colours_of(labels: Iterable[str]) -> dict[str, Colour]:
    """Return the colour of every method label.

    Variants (`dpo@beta0.05`) share their method's colour. Labels without a colour of their own, such as adapters
    brought by the user, take those that no method here uses, in order, and start again when none is left.
    """
    labels = list(labels)
    methods = {label: label.partition("@")[0] for label in labels}
    free = [colour for name, colour in METHODS.items() if name not in methods.values()] or list(METHODS.values())
    others = list(dict.fromkeys(method for method in methods.values() if method not in METHODS))
    given = {name: free[index % len(free)] for index, name in enumerate(others)}
    return {label: METHODS.get(method) or given[method] for label, method in methods.items()}
