"""What every artifact claims to be: digests that its job writes down when it ends, and a check of them at any later time.

`records/<rule>/<job>.json` of an experiment's results holds `files`, {path from the results: sha256} of what the job wrote, and
`packages`, the versions that it computed with.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lossgeometry.code_digests import is_package
from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.tensor_header import CutShort, read_header
from lossgeometry.provenance import digest_of_file

RECORDS, LOGS = "records", "logs"
# Where the inputs that run.json names lie.
PLACES = {"student": "models", "rollouts.parquet": "rollouts", "tokens.parquet": "rollouts", "train.jsonl": "prompts"}


def record_outputs(log: str, outputs: Iterable[str], code: Mapping[str, str]) -> None:
    """Write down the digests of what a job wrote and the packages that it used, beside the experiment's logs.

    Parameters
    ----------
    log
        The job's log, below a folder `logs` of the results.
    outputs
        Files and folders.
    code
        As `code_digests` gives it.
    """
    results = next((folder.parent for folder in Path(log).parents if folder.name == LOGS), None)
    if results is None:
        return
    digests = {
        os.path.relpath(file, results): digest_of_file(file)
        for output in map(Path, outputs)
        for file in (sorted(output.rglob("*")) if output.is_dir() else [output])
        if file.is_file() and not file.name.startswith(".")
    }
    record = results / RECORDS / Path(log).relative_to(results / LOGS).with_suffix(".json")
    with atomic_file(record) as path:
        packages = {name: version for name, version in code.items() if is_package(name)}
        text = json.dumps({"files": digests, "packages": packages}, indent=2, sort_keys=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def claims(results: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (path from the results, sha256, file that claims it) of every claim below an experiment's results."""
    for record in sorted(results.glob(f"{RECORDS}/**/*.json")):
        yield from _read(record, results, lambda name: name, "files")
    for manifest in sorted(results.glob("models/*.json")):
        yield from _read(manifest, results, lambda name: f"models/{name}")
    for run in sorted(results.glob("adapters/*/run.json")):
        yield from _read(run, results, _place_of_input, "inputs")
    for delta in sorted(results.glob("deltas/*.safetensors")):
        adapter = results / "adapters" / delta.stem
        if adapter.is_dir():  # the user's own lie elsewhere
            yield from _made_of(delta, f"adapters/{delta.stem}/adapter_model.safetensors", results)


def _made_of(delta: Path, weights: str, results: Path) -> Iterator[tuple[str, str, str]]:
    source = delta.relative_to(results).as_posix()
    try:
        yield weights, read_header(delta).metadata["source"], source
    except (CutShort, InputError, KeyError):
        yield source, "", source


def _place_of_input(name: str) -> str:
    return f"{PLACES.get(name.partition('/')[0], 'initialisations')}/{name}"


def _read(file: Path, results: Path, place: Callable[[str], str], key: str = "") -> Iterator[tuple[str, str, str]]:
    source = file.relative_to(results).as_posix()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        for name, digest in (content[key] if key else content).items():
            yield place(name), digest, source
    except (ValueError, KeyError, AttributeError):
        yield source, "", source


def check(results: Path) -> tuple[list[str], int]:
    """Return what does not hold, one sentence for each file, and the number of files that anything is claimed of."""
    found: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, claimed, source in claims(results):
        path = results / name
        if name not in found:
            found[name] = digest_of_file(path) if path.is_file() else ""
        if not claimed:
            wrong.setdefault(name, f"{name} is damaged: it cannot be read")
        elif not found[name]:
            wrong.setdefault(name, f"{name} is missing; {source} claims it")
        elif found[name] != claimed:
            sentence = f"{name} is not what {source} claims: its sha256 is {found[name][:12]}, not {claimed[:12]}"
            wrong.setdefault(name, sentence)
    return list(wrong.values()), len(found)


def mixtures(results: Path) -> list[str]:
    """Return the packages that jobs of one rule used in several versions, one sentence each: after an upgrade was accepted."""
    versions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in sorted(results.glob(f"{RECORDS}/**/*.json")):
        rule = record.relative_to(results / RECORDS).with_suffix("").parts[0]
        try:
            packages = json.loads(record.read_text(encoding="utf-8"))["packages"]
        except (ValueError, KeyError, TypeError):
            continue  # `check` lists it
        for package, version in packages.items():
            versions[rule, package][version] += 1
    return [
        f"the jobs of {rule} used {package} in {len(counts)} versions: "
        + ", ".join(f"{version} ({count} jobs)" for version, count in sorted(counts.items()))
        for (rule, package), counts in sorted(versions.items())
        if len(counts) > 1
    ]
