"""The base class of every configuration block."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

TOLD = "told"
"""Context of writing and reading what a job is told."""


class Block(BaseModel):
    """A configuration block: immutable, and closed to keys that it does not declare.

    A key that is added to a finished experiment declares the value at which it changes nothing, such as
    ``Field(0.0, json_schema_extra={"neutral": 0.0})``. At that value it is left out of what jobs are told, and read back
    from there: the new key re-runs nothing, and a default that differs from it, or is changed later, what it must.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    def told(self) -> dict[str, Any]:
        """Return the block as built-in types, without keys at their neutral values."""
        return self.model_dump(mode="json", by_alias=True, context=TOLD)

    @classmethod
    def from_told(cls, values: Mapping[str, Any]) -> Self:
        """Return the block that `told` wrote."""
        return cls.model_validate(dict(values), context=TOLD)

    @classmethod
    def _neutral(cls) -> dict[str, Any]:
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {
            name: extra["neutral"] for name, extra in extras.items() if isinstance(extra, dict) and "neutral" in extra
        }

    @model_serializer(mode="wrap")
    def _leave_out_neutral(self, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values = write(self)
        if info.context == TOLD:
            for name, neutral in self._neutral().items():
                if getattr(self, name) == neutral:
                    values.pop(name, None)
        return values

    @model_validator(mode="before")
    @classmethod
    def _fill_in_neutral(cls, values: Any, info: ValidationInfo) -> Any:
        return cls._neutral() | values if info.context == TOLD and isinstance(values, dict) else values
