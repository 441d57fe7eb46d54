"""The smoke variant of a configuration: every stage and every method of it, at a size that takes minutes.

Every stage says how its block of the configuration shrinks. It shows that models, engines, data and memory are in order
before GPU-days are spent. It measures nothing: half of the rollouts are declared correct, whatever their answers, so that
every method has something to train on.
"""

from collections.abc import Sequence
from typing import Any

from lossgeometry.experiment.runs import Run
from lossgeometry.methods import method_module
from lossgeometry.stage import SMOKE_PROMPTS as PROMPTS
from lossgeometry.stage import SMOKE_STEPS as STEPS
from lossgeometry.stage import SMOKE_TOKENS as TOKENS
from lossgeometry.stages import STAGES

SUFFIX = "-smoke"


def shrink(values: dict[str, Any], runs: Sequence[Run]) -> dict[str, Any]:
    """Return the smoke variant of a checked configuration, both as `Config.model_dump(by_alias=True)` gives it.

    Every method keeps its default learning rate and first seed, the first of them also its sweeps, so that each kind of
    comparison has a pair. The stages that load the base for every pair compare the first method with the last only, next
    to these sweeps. Models, batches of tokens and engines stay as they are: they are what is to be tried.

    Parameters
    ----------
    values
        The configuration.
    runs
        Its runs.
    """
    values = dict(values)
    if not values["experiment"].endswith(SUFFIX):
        values["experiment"] += SUFFIX
    if values["prompts"]:
        values["prompts"] = values["prompts"] | {"count": PROMPTS}
    if values["probe"]:
        values["probe"] = values["probe"] | {"count": PROMPTS}
    for stage in STAGES:
        if stage.block:
            values[stage.block] = stage.shrink(values[stage.block])
    methods = values["methods"].items()
    values["methods"] = {
        label: _method(label, method, values["seeds"], sweeps=number == 0)
        for number, (label, method) in enumerate(methods)
    }
    # Explicit pairs may name runs that are left out here.
    few = {"pairs": (), "exclude": ()}
    values["comparisons"] = values["comparisons"] | few
    first_runs = {run.label: run.id for run in reversed(runs) if run.origin == "trained"}
    labels = list(values["methods"])
    for block in (values[stage.block] for stage in STAGES if stage.block):
        comparisons = block.get("comparisons")
        if comparisons is not None:
            block["comparisons"] = comparisons | few
            if len(labels) > 1 and any(comparisons[key] for key in ("methods", "matched", "pairs")):
                ends = (first_runs[labels[0]], first_runs[labels[-1]])
                block["comparisons"] |= {"methods": False, "matched": (), "pairs": (ends,)}
    return values


def _method(label: str, method: dict[str, Any], seeds: tuple, sweeps: bool) -> dict[str, Any]:
    options = dict(method["options"])
    if options.get("max_new_tokens", 0) > TOKENS:
        options["max_new_tokens"] = TOKENS
        if "overlong_cache" in options:
            options["overlong_cache"] = min(options["overlong_cache"], TOKENS // 4)
    if options.get("generations", 0) > PROMPTS:
        options["generations"] = PROMPTS
    if "max_rounds" in method_module(label.partition("@")[0]).Options.model_fields:
        options["max_rounds"] = 1  # the student may have no mixed group to find
    kept = {"options": options, "steps": min(method["steps"], STEPS), "schedule_steps": 0}
    if not sweeps:
        kept |= {"learning_rates": (), "further_seeds": (), "seeds": (method["seeds"] or seeds)[:1]}
    return method | kept
