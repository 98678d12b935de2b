"""Fixes of refused changes: what is edited, what it costs, what was proved. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..model.compatibility import CompatibilityLevel, Direction


class FixKind(enum.IntEnum):
    """What an edit does; numbers are those of the wire."""

    MAKE_OPTIONAL = 1
    """A property or field that is newly required need not be there."""
    KEEP_REQUIRED = 2
    """A property that is no longer required is required as before."""
    ADD_DEFAULT = 3
    """A new field gets a default."""
    KEEP_VALUES = 4
    """Values of an enumeration that were removed stay."""
    LEAVE_OUT_VALUES = 5
    """Values that are new in an enumeration are left out."""
    ACCEPT_BOTH = 6
    """What the earlier version describes is accepted beside what the new one describes."""
    KEEP_TO_BOTH = 7
    """Only what both versions describe is accepted."""
    KEEP_MEMBER = 8
    """A property, field, type or method that was removed stays."""
    LEAVE_OUT_MEMBER = 9
    """A property or field that is new is left out."""
    DOCUMENT_ONLY = 10
    """A new property keeps its description and accepts any value."""
    KEEP_RULE = 11
    """A single rule (a keyword, an option) is as it was."""
    KEEP_PART = 12
    """A part of the schema is as it was."""
    ADD_ALIAS = 13
    """A name is declared to stand for the earlier one."""
    RESERVE = 14
    """The number and name of what was deleted are reserved."""
    NEW_NUMBER = 15
    """A field is as it was, and the new one is beside it under a name and number of its own."""


@dataclass(frozen=True, slots=True)
class FixEdit:
    """One edit of the new schema. place: a JSON pointer, or the full name of a Protobuf element. cost: in plain words what is
    given up by it."""

    kind: FixKind
    place: str
    cost: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The earlier version that the edited schema was compared with, and in which direction; the verdict was YES."""

    version: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits under which a refused change is compatible. It has been proved: see `proofs`.

    content: the edited schema, as text that may be registered. patch: the edits as a JSON Patch (RFC 6902) for the document that was
    refused; "" for Protobuf, which is no JSON. takes_back: nothing is known to be left of the change that decides which data
    is valid; texts, names and order may be new.
    """

    edits: tuple[FixEdit, ...]
    content: bytes
    patch: str
    level: CompatibilityLevel
    proofs: tuple[Proof, ...]
    takes_back: bool = False

    @property
    def message(self) -> str:
        """What it costs, in one sentence each."""
        return "; ".join(dict.fromkeys(edit.cost for edit in self.edits))


@dataclass(frozen=True, slots=True)
class Fixes:
    """What a search has found, the least costly first.

    compatible: the schema needs no fix. tried: schemas that were parsed and compared. complete: the search came to its end.
    reason: what ended it, or why there is no fix.
    """

    fixes: tuple[Fix, ...] = ()
    compatible: bool = False
    tried: int = 0
    complete: bool = True
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.fixes)
