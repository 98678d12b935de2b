"""Merges equal subschemas of both documents into classes, through references and recursion too. Pure.

By partition refinement: two nodes stay in one class until a difference is found. Subschemas that did not change between
two versions then have the same class on both sides, so that they need no proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from .nodes import FALSE, TRUE, Graph, Node, children, in_place, renumber, shape


@dataclass(frozen=True, slots=True)
class Classes:
    """The quotient of a graph: `nodes` and an origin for each class, and the class of each node of the graph."""

    nodes: tuple[Node, ...]
    class_of: tuple[int, ...]
    origins: tuple[tuple[str, str], ...]
    anything: int
    nothing: int


def merge(graph: Graph) -> Classes:
    """The coarsest partition in which the nodes of a class have equal shapes and children of equal classes, in any order
    where order means nothing (`allOf`, `anyOf`, `oneOf`)."""
    targets = _targets(graph)
    used = sorted(set(targets))
    kids = {i: [targets[child] for child in children(graph.nodes[i])] for i in used}
    unordered = {i: spans for i in used if (spans := _unordered(graph.nodes[i]))}
    parents: dict[int, list[int]] = {i: [] for i in used}
    for i, below in kids.items():
        for child in below:
            parents[child].append(i)
    colours: dict[object, int] = {}
    colour = {i: colours.setdefault(shape(graph.nodes[i], i), len(colours)) for i in used}
    signatures: dict[object, int] = {}
    dirty = set(used)
    count = len(colours)
    while dirty:
        # Recompute only nodes some child of which has changed its class.
        signatures.clear()
        groups: dict[int, list[int]] = {}
        for i in used:
            groups.setdefault(colour[i], []).append(i)
        changed: list[int] = []
        touched = {colour[i] for i in dirty}
        for old in touched:
            members = groups[old]
            if len(members) == 1:
                continue
            parts: dict[tuple[int, ...], list[int]] = {}
            for i in members:
                signature = [colour[child] for child in kids[i]]
                if i in unordered:
                    signature = _sorted(signature, unordered[i])
                parts.setdefault(tuple(signature), []).append(i)
            for part in sorted(parts.values(), key=len)[:-1]:
                changed += part
                for i in part:
                    signatures[i] = count
                count += 1
        for i in changed:
            colour[i] = signatures[i]
        dirty = {parent for i in changed for parent in parents[i]}
    return _quotient(graph, targets, colour)


_Span = tuple[int, tuple[int, ...]]
"""Where a run of groups begins in the list of children, and the sizes of the groups."""


def _unordered(node: Node) -> tuple[tuple[_Span, bool], ...]:
    """The groups of children of which the order means nothing; True: nor does the order within each group."""
    if not (node.all_of or node.any_of or node.one_of or node.none_of or node.conditions):
        return ()  # most nodes
    spans: list[tuple[_Span, bool]] = []
    start = 0
    for sizes, inside in (
        ((len(node.all_of),), True),
        (tuple(map(len, node.any_of)), True),
        ((len(node.one_of),), True),
        ((len(node.none_of),), True),
        ((3,) * len(node.conditions), False),
    ):
        total = sum(sizes)
        if total > 1 and (inside or len(sizes) > 1):
            spans.append(((start, sizes), inside))
        start += total
    return tuple(spans)


def _sorted(signature: list[int], spans: tuple[tuple[_Span, bool], ...]) -> list[int]:
    """The classes of the children with each unordered group in ascending order, and the groups by size and content."""
    for (start, sizes), inside in spans:
        groups, position = [], start
        for size in sizes:
            group = signature[position : position + size]
            groups.append(sorted(group) if inside else group)
            position += size
        groups.sort(key=lambda group: (len(group), group))
        signature[start:position] = [child for group in groups for child in group]
    return signature


def loops(classes: Classes) -> bool:
    """Whether a schema refers to itself on the same value, which no dialect gives a meaning. Registration refuses such
    schemas; a stored schema may be one."""
    done: set[int] = set()
    for start in range(len(classes.nodes)):
        path: list[tuple[int, list[int]]] = [] if start in done else [(start, in_place(classes.nodes[start]))]
        active = {start}
        while path:
            number, rest = path[-1]
            if not rest:
                path.pop()
                active.discard(number)
                done.add(number)
                continue
            child = rest.pop()
            if child in active:
                return True
            if child not in done:
                active.add(child)
                path.append((child, in_place(classes.nodes[child])))
    return False


def _quotient(graph: Graph, targets: list[int], colour: dict[int, int]) -> Classes:
    numbers: dict[int, int] = {}
    members: list[int] = []
    for i in sorted(colour):
        if colour[i] not in numbers:
            numbers[colour[i]] = len(members)
            members.append(i)
    class_of = tuple(numbers[colour[target]] for target in targets)
    return Classes(
        nodes=tuple(renumber(graph.nodes[i], class_of.__getitem__) for i in members),
        class_of=class_of,
        origins=tuple(graph.origins[i] for i in members),
        anything=class_of[TRUE],
        nothing=class_of[FALSE],
    )


def _targets(graph: Graph) -> list[int]:
    """For each node the one that it refers to, when it does nothing else; otherwise itself."""

    def follow(i: int) -> int:
        seen = set()
        while i not in seen:
            seen.add(i)
            node = graph.nodes[i]
            if len(node.all_of) != 1 or node != Node(all_of=node.all_of):
                break
            i = node.all_of[0]
        return i

    return [follow(i) for i in range(len(graph.nodes))]
