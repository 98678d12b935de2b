"""What a lint rule is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from ..model.compatibility import Severity
from ..model.schema import SchemaType

T = TypeVar("T", contravariant=True)


class Fault(NamedTuple):
    """One place where a rule is broken, and what is wrong there in a sentence."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class LintRule(Generic[T]):
    """`id` and `sentence` name what a good schema does; `hint` is the way to do it; `check` finds where it is not done.

    by_default: whether the rule runs unless it is disabled, or only when it is enabled. costly: it takes more than one look at
    the text, so that a registration runs it only where its outcome decides (linter.registering).
    """

    id: str
    schema_type: SchemaType
    severity: Severity
    sentence: str
    hint: str
    check: Callable[[T], Iterator[Fault]]
    by_default: bool = True
    costly: bool = False
