"""Avro 1.12 in pure Python: strict parser, canonical forms, schema resolution, data validators."""

from .engine import AvroEngine
from .limits import AvroLimits

__all__ = ["AvroEngine", "AvroLimits"]
