"""Which configuration files lie under which: a partial one over the default, and `--config` over all."""

import contextlib
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lossgeometry.errors import ConfigError
from lossgeometry.files.text import printable

DEFAULT = Path("config/config.yaml")


def over_default(files: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the default configuration lies under these files: unless they name an experiment and what it compares."""
    keys = {key for values in files for key in values}
    return not ("experiment" in keys and keys & {"methods", "adapters"})


def read_layer(path: Path) -> dict[str, Any]:
    """Return the content of a configuration file.

    Raises
    ------
    ConfigError
        Naming the file, and the line where it is no YAML.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name a configuration file that exists") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; save it as that") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = " ".join(str(getattr(error, "problem", None) or "not YAML").split())
        raise ConfigError(f"{path}{where}: {what}; correct the YAML there") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no keys; write `key: value` lines as config/README.md describes") from None
    return values


def read_or_exit(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the content of configuration files; a file that cannot be read ends the program with one sentence."""
    try:
        return [read_layer(path) for path in paths]
    except ConfigError as error:
        sys.exit(printable(f"The configuration cannot run. {error}."))


def parse_arguments(project: Path, arguments: Sequence[str]) -> tuple[Any, Any]:
    """Return the parser of `snakemake` and what it makes of arguments, without the news of which profile it found."""
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            return parse_args(["--snakefile", str(project / "Snakefile"), "--directory", str(project), *arguments])
        except SystemExit:
            print(said.getvalue(), file=sys.__stderr__, end="")
            raise


def given_values(project: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the values that `snakemake` with these arguments would read."""
    from snakemake.cli import parse_config
    from snakemake.utils import update_config

    _, parsed = parse_arguments(project, arguments)
    files = read_or_exit(map(Path, parsed.configfile or ()))
    values: dict[str, Any] = read_or_exit([project / DEFAULT])[0] if over_default(files) else {}
    for layer in (*files, parse_config(parsed.config)):
        update_config(values, layer)
    return values


if __name__ == "__main__":
    read_or_exit(map(Path, sys.argv[1:]))
