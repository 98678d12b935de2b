"""From one schema type to another, and the data with it: read into one model, write out of it, report what is lost."""

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
