"""What the search needs of each schema type: candidates of edits for one violation. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ..model.compatibility import Direction, Violation
from .documents import Operation, PatchFailed, patched
from .model import FixEdit, FixKind

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Question:
    """One violation to be mended. `demands`: all directions that the level asks for; `direction` is that of the violation.

    apply_defaults: readers fill in defaults before they validate.
    """

    violation: Violation
    direction: Direction
    demands: frozenset[Direction]
    apply_defaults: bool = False

    @property
    def both(self) -> bool:
        return len(self.demands) > 1


@dataclass(frozen=True, slots=True)
class Proposal(Generic[D]):
    """A candidate: nothing is known of it until it was tried. apply: the draft with the edit, None where it does not fit.

    operations: the same as JSON Patch, for types that are JSON.
    """

    edit: FixEdit
    apply: Callable[[D], D | None]
    operations: tuple[Operation, ...] = ()


class Language(Protocol[D]):
    """One schema type. A draft is the schema in the form that is edited."""

    def open(self, content: bytes) -> D:
        """The draft of a schema that the engine has parsed."""
        ...

    def write(self, draft: D, like: bytes) -> bytes:
        """Its text, in the manner of `like`."""
        ...

    def proposals(self, draft: D, old: D, question: Question) -> Iterable[Proposal[D]]:
        """Candidates for one violation, those that give up least first."""
        ...


def by_operations(kind: FixKind, place: str, cost: str, operations: Sequence[Operation]) -> Proposal[Any]:
    """A proposal that is a JSON Patch."""
    steps = tuple(operations)

    def apply(draft: Any) -> Any:
        try:
            return patched(draft, steps)
        except PatchFailed:
            return None

    return Proposal(FixEdit(kind, place, cost), apply, steps)
