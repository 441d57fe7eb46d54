"""What the jobs of the tables, the summary and the page are told."""

from collections.abc import Mapping, Sequence

from lossgeometry.experiment.config import Config
from lossgeometry.jobs.blocks import Told
from lossgeometry.jobs.weights import beside_base
from lossgeometry.methods import method_module
from lossgeometry.settings.tasks import MethodInWords, Page, Summary


def runs_table(config: Config) -> list[Told]:
    """Return how the runs are named in their table."""
    keys = ("learning_rate", "seed", "origin", "control")
    return [
        {"run": run.id, "method": run.label} | {key: getattr(run, key) for key in keys} for run in config.runs.values()
    ]


def claims(config: Config, paper: str) -> Told:
    """Return what the verdicts on the paper's claims depend on beside the tables; ``paper`` is the digest of its numbers."""
    return {"student": config.student_name, "paper": paper, "runs": [run.told() for run in config.runs.values()]}


def summary(config: Config, paper: str, sections: Sequence[str]) -> Told:
    """Return what the summary depends on beside the tables; ``paper`` is the digest of the paper's numbers."""
    named = {
        "student": "the student itself",
        "tiny": "a tiny teacher trained here",
        "generated": "worked solutions written here",
    }
    run = Summary(
        experiment=config.experiment,
        student=config.student_name,
        teacher=named.get(config.teacher.source, config.teacher.name),
        tiny_student=config.student.source == "tiny",
        trained=bool(config.methods),
        one_seed=all(
            len((method.seeds or config.seeds) + method.further_seeds) < 2 for method in config.methods.values()
        ),
        rank=config.lora.rank,
        targets=config.lora.target_modules,
        sampling=tuple(label for label in config.methods if not method_module(label.partition("@")[0]).OFFLINE),
    )
    return {"paper": paper, "sections": list(sections), "run": run.told()}


def findings(config: Config, statements: Sequence[str]) -> Told:
    """Return what the findings depend on beside the tables: modules of the stages' statements, and names."""
    titles = {label: _method_in_words(label).title for label in config.methods}
    return {"modules": list(statements), "titles": titles, "reference": config.geometry.reference}


def page(config: Config, tables: Mapping[str, Sequence[str] | None], charts: Sequence[str]) -> Told:
    """Return what the page depends on beside the tables: their columns that it takes (None for all), the modules of the
    stages' charts, the methods in words, and the head's facts."""
    return Page(
        experiment=config.experiment,
        reference=config.geometry.reference,
        facts=_facts(config),
        methods={label: _method_in_words(label) for label in config.methods},
        charts=tuple(charts),
        tables={name: None if columns is None else tuple(columns) for name, columns in tables.items()},
    ).told()


def _method_in_words(label: str) -> MethodInWords:
    name, _, variant = label.partition("@")
    method = method_module(name)
    return MethodInWords(
        title=f"{method.TITLE} {variant}".strip(), objective=method.OBJECTIVE, citation=method.CITATION
    )


def _facts(config: Config) -> Told:
    if not config.trained:
        # Of supplied updates the student is the base only where something is attached to it, or subtracted from it.
        measured = config.evaluated or config.connectivity_pairs or config.representation_pairs
        used = measured or config.geometry.relation_to_base or any(beside_base(config, run) for run in config.runs)
        return {"base": config.student_name} if used else {}
    targets = ", ".join(name.removesuffix("_proj") for name in config.lora.target_modules)
    return {
        "student": config.student_name,
        "adapter": f"LoRA, rank {config.lora.rank}, on {targets}",
        "training": f"{config.training.steps} steps of {config.training.batch_size}",
    }
