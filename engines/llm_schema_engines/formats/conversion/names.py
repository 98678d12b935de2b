"""Makes valid names for one schema type from names of another. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_OTHER = re.compile(r"[^A-Za-z0-9_]+")
MAX_NAME_LENGTH = 100


def identifier(name: str, otherwise: str = "unnamed") -> str:
    """[A-Za-z_][A-Za-z0-9_]* that resembles `name`."""
    out = _OTHER.sub("_", name)[:MAX_NAME_LENGTH]
    if not out or (out != name and not out.strip("_")):
        return otherwise
    return f"_{out}" if out[0].isdigit() else out


def dotted(name: str, otherwise: str = "Unnamed") -> str:
    """Identifiers joined by dots that resemble `name`, which may have dots itself."""
    return ".".join(identifier(part, otherwise) for part in name.split(".") if part) or otherwise


def title_case(name: str) -> str:
    """`line_item` -> `LineItem`."""
    return "".join(part[:1].upper() + part[1:] for part in _OTHER.sub("_", name).split("_"))


class UniqueNames:
    """Gives out unique names: a name that is taken gets a number appended."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def has_room(self, name: str) -> bool:
        return name not in self._taken

    def take(self, name: str) -> str:
        out, number = name, 2
        while out in self._taken:
            out, number = f"{name}_{number}", number + 1
        self._taken.add(out)
        return out


def assign(wanted: Sequence[str], good: Callable[[str], bool], make: Callable[[str], str]) -> list[str]:
    """A unique name for each wanted one: valid names (`good`) stay as they are, others are made by `make`."""
    free = UniqueNames()
    out = [free.take(name) if good(name) else "" for name in wanted]
    return [given or free.take(make(name)) for given, name in zip(out, wanted, strict=True)]
