"""Which properties a writer may send that sends only declared properties (writer model DECLARED_KEYS). Pure.

A place where no schema declares any property is free-form: a map, in which every name counts as declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .merging import Classes


@dataclass(frozen=True, slots=True)
class DeclaredProperties:
    """Names and patterns that are declared at one place. `free`: every name is declared."""

    names: frozenset[str]
    patterns: frozenset[str]
    free: bool


def declared_by(classes: Classes, owners: Iterable[int]) -> DeclaredProperties:
    """What the classes `owners` declare, in any branch that may apply to the same value."""
    names: set[str] = set()
    patterns: set[str] = set()
    free = False
    seen: set[int] = set()
    todo = list(owners)
    while todo:
        number = todo.pop()
        if number in seen:
            continue
        seen.add(number)
        node = classes.nodes[number]
        props = node.properties
        if props is not None:
            names.update(props.named)
            patterns.update(props.patterns)
            free |= props.additional not in (classes.anything, classes.nothing)
        names |= node.required
        for name, needed in node.needs:
            names |= needed | {name}
        for value in node.values.items if node.values is not None else ():
            if isinstance(value, dict):
                names.update(value)
        todo += node.all_of
        for group in node.any_of:
            todo += group
        todo += node.one_of
        for condition in node.conditions:
            todo += condition
        todo += [target for _, target in node.implies]
    nothing_declared = not names and not patterns
    return DeclaredProperties(frozenset(names), frozenset(patterns), free or nothing_declared)
