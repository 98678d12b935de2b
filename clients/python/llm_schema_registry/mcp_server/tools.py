"""The tools, in the order in which they are listed. At most twelve, and at most 4,000 tokens: each client pays for them in each turn."""

from __future__ import annotations

from . import changing, checking, compiling, reading
from .tool import Tool

TOOLS: tuple[Tool, ...] = (
    reading.SEARCH,
    reading.GET,
    reading.VERSIONS,
    reading.EXPLAIN,
    reading.WATCH,
    checking.CHECK,
    checking.VALIDATE,
    checking.JUDGE,
    checking.DIFF,
    *((compiling.COMPILE,) if compiling.pb is not None else ()),
    changing.REGISTER,
    changing.DELETE,
)
