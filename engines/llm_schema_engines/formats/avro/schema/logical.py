"""Logical types: which underlying type each needs, and when one is ignored (Avro 1.12, "Logical Types"). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .nodes import Fixed, Logical, Node
from .text import Json

UNDERLYING: Mapping[str, tuple[str, ...]] = {
    "decimal": ("bytes", "fixed"),
    "big-decimal": ("bytes",),
    "uuid": ("string", "fixed"),
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "timestamp-nanos": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "local-timestamp-nanos": ("long",),
    "duration": ("fixed",),
}
SIZES: Mapping[str, int] = {"uuid": 16, "duration": 12}
"""The sizes in bytes that a fixed needs to carry the logical type."""


def logical(node: Node, source: Mapping[str, Json], precision_limit: int) -> tuple[Logical | None, str]:
    """The logical type that `source` gives to `node`, and why it is ignored ("" when it is valid or not given)."""
    name = source.get("logicalType")
    if name is None:
        return None, ""
    if not isinstance(name, str):
        return None, "logicalType is not a string"
    wanted = UNDERLYING.get(name)
    if wanted is None:
        return None, f"logical type {name!r} is not known"
    if node.kind not in wanted:
        return None, f"logical type {name} needs {' or '.join(wanted)}, not {node.kind}"
    if isinstance(node, Fixed) and name in SIZES and node.size != SIZES[name]:
        return None, f"logical type {name} needs a fixed of {SIZES[name]} bytes, not {node.size}"
    if name == "decimal":
        return _decimal(node, source, precision_limit)
    return Logical(name), ""


def _decimal(node: Node, source: Mapping[str, Json], limit: int) -> tuple[Logical | None, str]:
    precision, scale = source.get("precision"), source.get("scale", 0)
    if type(precision) is not int or precision <= 0:
        return None, "a decimal needs a precision, an integer greater than 0"
    if precision > limit:
        return (
            None,
            f"the precision {precision} is over the limit of {limit} (setting avro.decimal_precision)",
        )
    if type(scale) is not int or not 0 <= scale <= precision:
        return None, "the scale of a decimal is an integer from 0 to its precision"
    if isinstance(node, Fixed):
        most = digits(node.size)
        if precision > most:
            return None, f"a fixed of {node.size} bytes holds {most} digits, not {precision}"
    return Logical("decimal", precision, scale), ""


def digits(size: int) -> int:
    """How many decimal digits always fit into a signed number of `size` bytes: floor(log10(2^(8 size - 1) - 1))."""
    if size <= 0:
        return 0
    # log10(2) as a fraction good to 20 digits; 2^(8n-1) is never a power of ten, so that the -1 changes nothing.
    return (8 * size - 1) * 30102999566398119521 // 10**20
