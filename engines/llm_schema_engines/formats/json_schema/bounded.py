"""A validator that runs where others must not wait: only what is proved cheap, and errors only where listing is. Pure."""

from __future__ import annotations

from ...model.validation import DataReport, Encoding
from ..engine import SchemaSource
from .compiled import OpenedSchema
from .limits import JsonSchemaLimits
from .validation import JsonDataValidator
from .validation_cost import JsonSchemaCost

_LISTING = 1.5
"""How much longer than a verdict a list of errors may take. Its bound holds a verdict for each level of nesting already."""


class BoundedJsonValidator:
    """See formats.engine.BoundedValidator.

    Listing errors costs a hundred times as much as a verdict, and most data is valid: so they have a bound each.
    """

    def __init__(
        self, source: SchemaSource, limits: JsonSchemaLimits, opened: OpenedSchema, cost: JsonSchemaCost
    ) -> None:
        self._validator = JsonDataValidator(source, limits, opened)
        self._validator.prepare()
        self._cost = cost
        self.size = self._validator.size

    def validate_within(
        self,
        seconds: float,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport | None:
        """See BoundedValidator.validate_within."""
        nanoseconds = seconds * 1e9
        if not self._cost.verdict_within(nanoseconds, payload, strict=strict):
            return None
        return self._validator.validate_if(
            lambda: self._cost.listing_within(_LISTING * nanoseconds, payload),
            payload, encoding=encoding, strict=strict, max_errors=max_errors, message_name=message_name,
        )  # fmt: skip
