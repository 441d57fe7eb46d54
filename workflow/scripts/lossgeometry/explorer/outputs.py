"""What the stage reads and writes, known before anything runs; the Snakefile asks, so nothing heavy is imported."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lossgeometry.provenance import SCRIPTS

TABLES = (
    *("runs", "rollouts", "claims", "geometry", "layers", "modules"),
    *("connectivity", "barriers", "cka", "accuracy", "mcnemar", "seeds", "sensitivity"),
)
"""Tables that are shown, where they were made."""

CODE = (
    *("state.js", "data.js", "dom.js", "plots.js", "views.js", "views_function.js"),
    *("pair.js", "panels.js", "controls.js", "main.js"),
)
ASSETS = ("page.html", "style.css", "definitions.json", *CODE)
"""What the page is made of; the code in the order in which it runs."""
ASSET_FOLDER = SCRIPTS.parents[1] / "resources" / "explorer"


class Figure(NamedTuple):
    """One figure of an experiment."""

    name: str
    kind: str
    """Name of its caption in resources/captions, and of its chart."""
    category: str
    """Where `snakemake --report` lists it."""
    subject: str = ""
    """The loss, estimator or benchmark that it shows."""


WEIGHTS, FUNCTION, ANSWERS, TRAINING = "Weights", "Function space", "Accuracy", "Training"
GEOMETRY = (
    "cosine_map",
    "cosine_by_layer",
    "alignment_by_layer",
    "orthogonal_by_layer",
    "output_directions",
    "principal_angles",
    "norm",
    "effective_rank",
)


def figures_of(
    pairs: Iterable[tuple[str, str]],
    labels: Mapping[str, str],
    losses: Iterable[str],
    estimators: Iterable[str],
    benchmarks: Iterable[str],
    trained: bool,
) -> list[Figure]:
    """Return the figures of an experiment.

    Parameters
    ----------
    pairs
        Pairs of run ids whose weights are compared.
    labels
        Method label of every run id.
    losses, estimators, benchmarks
        What is measured between adapters, on hidden states, on answers; empty where the stage does not run.
    trained
        Whether any run is trained here.
    """
    pairs = list(pairs)
    figures = [Figure(name, name, WEIGHTS) for name in (GEOMETRY if pairs else ())]
    if any(labels[a] == labels[b] for a, b in pairs):
        figures.append(Figure("seeds_and_learning_rates", "seeds_and_learning_rates", WEIGHTS))
    figures += [Figure(f"connectivity_{loss}", "connectivity", FUNCTION, loss) for loss in losses]
    figures += [Figure(f"representations_{name}", "representations", FUNCTION, name) for name in estimators]
    figures += [Figure(f"accuracy_{name}", "accuracy", ANSWERS, name) for name in benchmarks]
    return figures + [Figure("training_loss", "training_loss", TRAINING)] * trained
