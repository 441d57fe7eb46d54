"""The configuration: its models composed, its cross-checks, and errors that name the key and the cure."""

from functools import cached_property
from itertools import combinations
from typing import Any

from pydantic import Field, field_validator, model_validator

from lossgeometry.experiment.checks import (
    NAME,
    NAME_RULE,
    check_audit,
    check_consistency,
    check_function_space,
    check_ids,
)
from lossgeometry.experiment.runs import Run, control_runs, edit_runs, expand_pairs, expand_runs
from lossgeometry.experiment.snapshots import (
    answering,
    checkpoints_of,
    expand_snapshots,
    folders_of,
    named_snapshots,
    snapshot_steps,
)
from lossgeometry.methods import method_module
from lossgeometry.settings.audit import Audit
from lossgeometry.settings.behaviour import Behaviour
from lossgeometry.settings.block import Block
from lossgeometry.settings.comparisons import Comparisons
from lossgeometry.settings.connectivity import Connectivity
from lossgeometry.settings.edits import Edit
from lossgeometry.settings.evaluation import Evaluation
from lossgeometry.settings.forgetting import Forgetting
from lossgeometry.settings.geometry import Geometry
from lossgeometry.settings.models import Checkpoints, Model, Problems
from lossgeometry.settings.representations import Representations
from lossgeometry.settings.rollouts import Grading, Rollouts
from lossgeometry.settings.training import Lora, Method, Seeds, Training

FunctionSpace = Connectivity | Representations | Behaviour


class Config(Block):
    """One experiment."""

    experiment: str = Field(json_schema_extra={"pattern": rf"^{NAME.pattern}$"})
    """Name of the experiment; everything is written below results/<experiment>/."""
    smoke: bool = False
    """Run every stage on 8 prompts and 4 steps below results/<experiment>-smoke/, to try a set-up: nothing is measured, and half
    of the rollouts are declared correct. Meant for the command line: `--config smoke=true`."""
    student: Model = Model(source="tiny")
    """The base model that every adapter is trained on."""
    teacher: Model = Model(source="student")
    """The model that the rollouts are sampled from."""
    prompt_suffix: str = ""
    """Appended to every problem, after a newline, in rollouts, training and evaluation alike."""
    prompts: Problems | None = None
    """The problems that rollouts are sampled for; none where no method is trained."""
    probe: Problems | None = None
    """The problems that connectivity and hidden states are measured on, whatever the benchmarks are. Without it, as many as these
    stages use of the first of `evaluation.benchmarks`."""
    rollouts: Rollouts = Rollouts()
    """How the rollouts are sampled."""
    grading: Grading = Grading()
    """How completions are verified."""
    lora: Lora = Lora()
    """The adapter that every method trains."""
    training: Training = Training()
    """What all methods share in training."""
    methods: dict[str, Method] = {}
    """The methods to train, by `<method>` or `<method>@<variant>`; the module is lossgeometry/methods/<method>.py."""
    seeds: tuple[int | Seeds, ...] = (42,)
    """Seeds of every method that does not list its own: one number, or `init` and `order` apart."""
    adapters: dict[str, str | Checkpoints] = {}
    """Updates supplied by the user: name to PEFT folder or hub id (`owner/name@revision` pins the latter), or to a folder with a
    full fine-tune of the student, which is compared in its weights alone; or to `{checkpoints: folder}`."""
    edits: dict[str, Edit] = {}
    """Runs that are computed from others, by name: adapters `edit.<name>`, which everything downstream takes."""
    comparisons: Comparisons = Comparisons()
    """Which pairs are compared."""
    geometry: Geometry = Geometry()
    """Pairwise measurements on the weight updates."""
    connectivity: Connectivity = Connectivity()
    """Linear mode connectivity."""
    representations: Representations = Representations()
    """Similarity of hidden states."""
    behaviour: Behaviour = Behaviour()
    """How far updates move what is written."""
    forgetting: Forgetting = Field(Forgetting(), json_schema_extra={"neutral": Forgetting()})  # type: ignore[dict-item]
    """What every run forgets of another skill."""
    audit: Audit = Audit()
    """What gradients predict before training."""
    evaluation: Evaluation = Evaluation()
    """Benchmarks and decoding."""

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Every run by its id, in the order of the configuration."""
        return {run.id: run for run in self._expand_runs()}

    def _expand_runs(self) -> list[Run]:
        runs = expand_runs(self.methods, self.seeds, self.folders)
        wanted = self.evaluation.controls and self.evaluation.benchmarks
        runs += control_runs(runs, self.geometry.reference) if wanted else []
        runs += named_snapshots(self)
        return [*runs, *edit_runs(runs, self.edits)]

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps at which every trained run is kept, in order."""
        return snapshot_steps(self.training, self.methods)

    @cached_property
    def snapshots(self) -> dict[str, list[Run]]:
        """The snapshots of every run that has any, by its id and in order; `runs` has those that a stage names."""
        runs = expand_runs(self.methods, self.seeds, self.folders)
        return expand_snapshots(runs, self.snapshot_steps, checkpoints_of(self.adapters))

    @property
    def folders(self) -> dict[str, str]:
        """Where the updates supplied by the user lie, by name; of those with checkpoints the last."""
        return folders_of(self.adapters)

    @cached_property
    def trained(self) -> list[Run]:
        """The runs that are trained here, in the order of the configuration."""
        return [run for run in self.runs.values() if run.origin == "trained"]

    @cached_property
    def evaluated(self) -> list[str]:
        """The ids of the runs that answer the benchmarks, the base first; none without benchmarks.

        A full fine-tune is compared in its weights alone.
        """
        return answering(self) if self.evaluation.benchmarks else []

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of run ids whose weights are compared."""
        return expand_pairs(list(self.runs.values()), self.comparisons)

    @cached_property
    def connectivity_pairs(self) -> list[tuple[str, str]]:
        """The pairs of run ids that are interpolated."""
        return self._pairs_of(self.connectivity)

    @cached_property
    def representation_pairs(self) -> list[tuple[str, str]]:
        """The pairs of run ids whose hidden states are compared; each of the runs with random directions too."""
        pairs = self._pairs_of(self.representations)
        drawn = {run.id for run in self.runs.values() if run.id.startswith("control.") and run.sources}
        known = {run for pair in pairs for run in pair}
        with_drawn = [pair for pair in combinations(self.runs, 2) if set(pair) & drawn and set(pair) - drawn <= known]
        return [*pairs, *(pair for pair in with_drawn if pairs and pair not in pairs)]

    @cached_property
    def behaving(self) -> list[str]:
        """The ids of the runs whose distance from the base is measured, the base first."""
        return self.evaluated if self.behaviour.problems else []

    @property
    def forgets(self) -> bool:
        """Whether it is measured what every run forgets."""
        return bool(self.forgetting.benchmark and self.behaving)

    @cached_property
    def behaviour_pairs(self) -> list[tuple[str, str]]:
        """The pairs of run ids whose texts are compared."""
        return self._pairs_of(self.behaviour) if self.behaviour.problems else []

    def _pairs_of(self, stage: FunctionSpace) -> list[tuple[str, str]]:
        pairs = expand_pairs(list(self.runs.values()), stage.comparisons) if stage.comparisons else []
        return [pair for pair in pairs if not any(self.runs[run].whole_model for run in pair)]

    @cached_property
    def probes(self) -> Problems | None:
        """`probe`, or its default; None where there are no problems at all."""
        first = next(iter(self.evaluation.benchmarks.values()), None)
        if self.probe or not first:
            return self.probe
        used = (self.connectivity.sequences, self.connectivity.accuracy_problems, self.representations.prompts)
        return first.model_copy(update={"count": min(first.count, max(used))})

    @property
    def measured_benchmark(self) -> str:
        """The benchmark whose answers the stage `behaviour` measures; empty where there is none."""
        return self.behaviour.benchmark or next(iter(self.evaluation.benchmarks), "")

    @property
    def student_name(self) -> str:
        """The student in words: its hub id, its folder or file, or what it is."""
        student = self.student
        named = {"tiny": "a tiny Qwen3 trained here", "package": f"{student.file} of {student.name} {student.version}"}
        return named.get(student.source, student.name)

    def options_of(self, run: Run) -> Any:
        """Return the checked hyper-parameters of a run's method."""
        return method_module(run.method).Options(**self.methods[run.label].options)

    @field_validator("experiment")
    @classmethod
    def _named(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(f"the name {name!r} is also a folder's: {NAME_RULE}")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        check_consistency(self)
        self._check_runs()
        return self

    def _check_runs(self) -> None:
        runs = self._expand_runs()
        check_ids([run.id for run in runs])
        stages: dict[str, FunctionSpace] = {
            "connectivity.": self.connectivity,
            "representations.": self.representations,
            "behaviour.": self.behaviour,
        }
        for key, comparisons in {"": self.comparisons, **{key: of.comparisons for key, of in stages.items()}}.items():
            try:
                pairs = expand_pairs(runs, comparisons) if comparisons else []
            except ValueError as error:
                raise ValueError(f"{key}comparisons: {error}") from None
            if key in stages and (pairs or key == "behaviour." and self.behaviour.problems):
                check_function_space(self, key, stages[key])
        check_audit(self.audit, runs, self.training)
        self._check_forgetting()

    def _check_forgetting(self) -> None:
        benchmark = self.forgetting.benchmark
        if not benchmark:
            return
        if benchmark not in self.evaluation.benchmarks:
            raise ValueError(f"forgetting.benchmark: there is no {benchmark}; name one of evaluation.benchmarks")
        if not self.behaviour.problems or benchmark == self.measured_benchmark:
            raise ValueError(
                "forgetting.benchmark: what is forgotten is set beside how far the answers to another benchmark moved; "
                "set behaviour.problems, and name that one in behaviour.benchmark"
            )
