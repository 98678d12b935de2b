"""Converts schemas and their data between schema types: source -> common model -> target, with a report of losses."""

from ...errors import ConversionRefused, DataRefused
from .convert import Conversion, ConvertedData, DataConverter, convert
from .losses import Loss, LossKind

__all__ = [
    "Conversion",
    "ConversionRefused",
    "ConvertedData",
    "DataConverter",
    "DataRefused",
    "Loss",
    "LossKind",
    "convert",
]
