"""What logical types require of a value beyond its underlying type. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..schema.nodes import Logical

DAY_MILLIS = 86_400_000
RANGES = {"time-millis": range(DAY_MILLIS), "time-micros": range(DAY_MILLIS * 1000)}
is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def number_check(logical: Logical | None) -> range | None:
    """The valid range of a time of day; None when every number is valid."""
    return RANGES.get(logical.name) if logical else None


def bytes_check(logical: Logical | None) -> Callable[[bytes], str] | None:
    """A check of bytes that returns what is wrong ("" when nothing is); None when there is nothing to check."""
    if logical is None or logical.name != "decimal":
        return None
    bound = 10**logical.precision

    def decimal(value: bytes) -> str:
        # The unscaled value is two's complement, big-endian; an empty value is not a number.
        if not value:
            return "a decimal has at least one byte"
        if -bound < int.from_bytes(value, "big", signed=True) < bound:
            return ""
        return f"the decimal has more than {logical.precision} digits"

    return decimal


def text_check(logical: Logical | None) -> Callable[[str], str] | None:
    """As `bytes_check`, for strings."""
    if logical is None or logical.name != "uuid":
        return None
    return lambda value: "" if is_uuid(value) else "not a UUID"
