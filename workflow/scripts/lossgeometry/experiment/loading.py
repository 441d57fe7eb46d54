"""The way into a configuration: checked, and shrunk where a smoke run is asked for."""

from typing import Any

from pydantic import ValidationError

from lossgeometry.errors import ConfigError
from lossgeometry.experiment.checks import check_reference, sentence
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.smoke import shrink


def load_config(values: dict[str, Any]) -> Config:
    """Return the checked configuration.

    Raises
    ------
    ConfigError
        With one sentence that names the first offending key and the cure.
    """
    try:
        config = Config(**values)
        if config.methods:
            check_reference(config.geometry, [*config.methods, *config.adapters])
        if not config.smoke:
            return config
        return Config(**shrink(config.model_dump(by_alias=True), list(config.runs.values())))
    except ValidationError as error:
        raise ConfigError(sentence(error, Config.model_fields)) from None


def planned_config(values: dict[str, Any]) -> Config:
    """Return the configuration that `Config.model_dump` resolved before, smoke variant or not."""
    return Config(**values)
