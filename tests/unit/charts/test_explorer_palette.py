"""Colours: the same for a method everywhere, legible on their ground, apart for colour-blind readers."""

from itertools import combinations

import numpy as np
import pytest

from lossgeometry.charts.palette import BACKGROUND, BASE, METHODS, colours_of

# Full deficiency, linear RGB; Machado, Oliveira and Fernandes 2009, table 1.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
PAPER = ("sft", "rft", "rift", "dft", "offline_grpo", "dpo")


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Oklab (Ottosson 2020), times 100."""
    to_cone = [[0.4122215, 0.5363325, 0.051446], [0.2119035, 0.6806995, 0.107397], [0.0883025, 0.2817188, 0.6299787]]
    to_lab = [[0.2104543, 0.7936178, -0.004072], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]]
    return 100 * np.array(to_lab) @ np.cbrt(np.array(to_cone) @ np.clip(rgb, 0, 1))


def contrast(first: str, second: str) -> float:
    light, dark = sorted((float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_has_contrast_3_on_its_ground(theme):
    for name, colour in {**METHODS, "base": BASE}.items():
        assert contrast(getattr(colour, theme), getattr(BACKGROUND, theme)) >= 3, name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_methods_stay_apart_for_colour_blind_readers(theme, deficiency):
    seen = {name: oklab(np.array(DEFICIENCIES[deficiency]) @ linear(getattr(c, theme))) for name, c in METHODS.items()}
    for a, b in combinations(METHODS, 2):
        least = 10 if a in PAPER and b in PAPER else 7
        assert np.linalg.norm(seen[a] - seen[b]) >= least, (a, b)


def test_a_method_keeps_its_colour_whatever_else_runs():
    assert (
        colours_of(["dpo", "sft"])["dpo"] == colours_of(["kto", "dpo@beta0.05", "dpo", "mine"])["dpo"] == METHODS["dpo"]
    )


def test_a_variant_has_its_method_s_colour_and_an_adapter_of_the_user_one_of_its_own():
    colours = colours_of(["sft", "dpo@beta0.05", "mine", "yours"])
    assert colours["dpo@beta0.05"] == METHODS["dpo"]
    assert len({*colours.values()}) == 4
