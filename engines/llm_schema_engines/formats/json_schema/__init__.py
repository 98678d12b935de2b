"""JSON Schema: strict parsing, validation, and compatibility verdicts with proof. Pure."""

from .engine import JsonSchemaEngine
from .limits import JsonSchemaLimits

__all__ = ["JsonSchemaEngine", "JsonSchemaLimits"]
