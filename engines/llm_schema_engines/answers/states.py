"""Which subschemas apply to a value, and what its parts decide about them. Pure.

A state is the set of subschemas ("nodes") that apply to one value: those that its holder asks for (the roots) and all that they
apply to the same value. Which of them have failed is a bit mask; what follows from a mask is worked out once and remembered.
Two questions are asked:

* `losses(own)`, while the value is open: which nodes can no longer hold? A node fails with its own keywords, with one of
  `allOf`, with all of `anyOf` or `oneOf`. Nothing is concluded from what may still fail.
* `failures(own)`, when it is complete: which nodes do not hold? All keywords count, `not` and "exactly one" too.

Bits above those of the nodes tell which properties of `dependentSchemas` have been seen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..formats.json_schema.regex_engine import matches
from ..formats.json_schema.resources import Place
from .nodes import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Check, Node, NodeKey, Nodes, NotStreamable

MAX_NODES_OF_A_VALUE = 1_000
"""Most subschemas that apply to one value."""
_REMEMBERED = 100_000
"""Masks, names, steps and nodes of states that one automaton remembers; then it forgets all and begins anew."""
_NO_LIMIT: Final = 1 << 60


@dataclass(slots=True)
class Losses:
    """What can no longer hold. `irrelevant`: nodes of which nothing depends any more, the lost ones among them."""

    roots: int
    irrelevant: int


class Link:
    """How the roots of a value's state decide about the nodes of its holder; all are bit masks."""

    __slots__ = ("_kills", "contains", "must", "unevaluated", "watched")

    def __init__(
        self,
        must: tuple[tuple[int, int], ...] = (),
        contains: tuple[tuple[int, int], ...] = (),
        unevaluated: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.must = must
        """root -> the nodes that fail with it."""
        self.contains = contains
        """root -> the number of the node that counts it."""
        self.unevaluated = unevaluated
        """root -> the nodes that ask for it where nothing else has evaluated the part."""
        self.watched = bool(contains or unevaluated)
        self._kills: dict[int, int] = {}

    def kills(self, roots: int) -> int:
        """The nodes of the holder that fail when these roots fail."""
        known = self._kills.get(roots)
        if known is None:
            known = 0
            for root, nodes in self.must:
                if roots & root:
                    known |= nodes
            if len(self._kills) < 256:
                self._kills[roots] = known
        return known


NO_LINK = Link()


class Step:
    """From a holder to one of its parts: the state of the part, and what its mere presence means.

    marks: nodes of the holder that fail, and properties of `dependentSchemas` that are there now. present: bits of the names
    that `required` and its kin ask for. evaluators: nodes whose own keywords have evaluated the part.
    """

    __slots__ = ("evaluators", "link", "marks", "present", "state")

    def __init__(self, state: State, link: Link, marks: int, present: int, evaluators: int) -> None:
        self.state, self.link = state, link
        self.marks, self.present, self.evaluators = marks, present, evaluators


class Members(dict[str, Step]):
    """Name of a property -> step, for a state in which some nodes no longer count."""

    def __init__(self, state: State, irrelevant: int) -> None:
        super().__init__()
        self._state, self._irrelevant = state, irrelevant
        self._other: Step | None = None

    def __missing__(self, name: str) -> Step:
        state = self._state
        if state.tells_names_apart or name in state.names:
            step = state.member(name, self._irrelevant)
            self[name] = step
            state.automaton.remember(8)
            return step
        if self._other is None:
            self._other = state.member(name, self._irrelevant)
        return self._other


class Items:
    """Number of an item -> step."""

    __slots__ = ("last", "steps")

    def __init__(self, steps: list[Step]) -> None:
        self.steps, self.last = steps, len(steps) - 1

    def step(self, number: int) -> Step:
        return self.steps[number if number < self.last else self.last]


class State:
    """See the module. Everything that is not a method is read-only."""

    def __init__(self, automaton: Automaton, roots: tuple[Place, ...]) -> None:
        self.automaton = automaton
        self.nodes, numbers = _in_place(automaton.nodes, roots)
        self.root_bits = tuple(1 << numbers[_key(place)] for place in roots)
        self.roots = _union(self.root_bits)
        self.all = (1 << len(self.nodes)) - 1
        self._read_formulas(numbers)
        self.forget()
        self._read_scalars()
        self._read_objects()
        self._read_arrays()

    def forget(self) -> None:
        """Forget what was worked out."""
        self._losses: dict[int, Losses] = {}
        self.known_failures: dict[int, int] = {}
        self._members: dict[int, Members] = {}
        self._items: dict[int, Items] = {}
        self._closed: dict[int, list[ClosedNames]] = {}

    def _read_formulas(self, numbers: dict[NodeKey, int]) -> None:
        def bits(places: tuple[Place, ...]) -> int:
            return _union(1 << numbers[_key(place)] for place in places)

        def bit(place: Place | None) -> int:
            return 0 if place is None else 1 << numbers[_key(place)]

        triggers = dict.fromkeys(name for node in self.nodes for name, _, _ in node.implied)
        self.triggers = {name: 1 << (len(self.nodes) + i) for i, name in enumerate(triggers)}
        self._every: list[int] = []
        self._some: list[tuple[int, ...]] = []
        self._one: list[int] = []
        self._none: list[int] = []
        self._conditions: list[tuple[int, int, int]] = []
        self._implied: list[tuple[tuple[int, int], ...]] = []
        self._annotating: list[tuple[tuple[int, int], ...]] = []
        self._inside: list[int] = []
        for node in self.nodes:
            self._every.append(bits(node.all_of))
            self._some.append(tuple(bits(group) for group in (node.any_of, node.one_of) if group))
            self._one.append(bits(node.one_of))
            self._none.append(bit(node.none_of))
            test = node.condition
            self._conditions.append(
                (0, 0, 0) if test is None else (bit(test.test), bit(test.then), bit(test.otherwise))
            )
            self._implied.append(tuple((self.triggers[name], bit(p)) for name, p, _ in node.implied))
            self._annotating.append(
                tuple((self.triggers[name], bit(p)) for name, p, seen in node.implied if seen)
            )
            self._inside.append(_union(bit(place) for place in node.in_place))
        self._loose = [i for i in range(len(self.nodes)) if self._inside[i]]

    def _read_scalars(self) -> None:
        nodes = list(enumerate(self.nodes))
        self.own_of_kind = tuple(_union(1 << i for i, n in nodes if kind not in n.kinds) for kind in range(6))
        self.own_of_literal = {
            value: self.own_of_kind[NULL if value is None else BOOLEAN]
            | _union(1 << i for i, n in nodes if value not in n.literals)
            for value in (None, True, False)
        }
        self.number_checks = _checks(self.nodes, NUMBER)
        self.string_checks = _checks(self.nodes, STRING)
        self.no_negative = _union(1 << i for i, n in nodes if n.no_negative)
        self.texts = tuple((1 << i, n.texts) for i, n in nodes if n.texts is not None)
        self.max_lengths = tuple((1 << i, n.max_length) for i, n in nodes if n.max_length is not None)
        self.longest_prefix = max(
            [n for _, n in self.max_lengths] + [len(t) for _, held in self.texts for t in held], default=-1
        )
        """A longer string is no beginning of an allowed one, as far as anything here tells; -1 when nothing does."""

    def _read_objects(self) -> None:
        nodes = [(1 << i, n) for i, n in enumerate(self.nodes)]
        names: dict[str, int] = {}
        for _, node in nodes:
            for name in (*node.required, *(n for a, others in node.needed for n in (a, *others))):
                names.setdefault(name, 1 << len(names))
        self._present = names
        self.names = {*names, *self.triggers, *(name for _, n in nodes for name in n.properties or ())}
        self.tells_names_apart = any(n.patterns or n.names is not None for _, n in nodes)
        self.required = tuple((b, _union(names[r] for r in n.required)) for b, n in nodes if n.required)
        self.needed = tuple(
            (b, names[name], _union(names[other] for other in others))
            for b, n in nodes
            for name, others in n.needed
        )
        self.least_properties = tuple((b, n.least_properties) for b, n in nodes if n.least_properties)
        self.most_properties = tuple(
            (b, n.most_properties) for b, n in nodes if n.most_properties is not None
        )
        self.fewest_most_properties = min((m for _, m in self.most_properties), default=_NO_LIMIT)
        self.object_checks = tuple((b, n.container_check) for b, n in nodes if n.container_check is not None)
        self.unevaluated_properties = tuple(
            (b, n.unevaluated_properties) for b, n in nodes if n.unevaluated_properties is not None
        )

    def _read_arrays(self) -> None:
        nodes = [(1 << i, n) for i, n in enumerate(self.nodes)]
        self.least_items = tuple((b, n.least_items) for b, n in nodes if n.least_items)
        self.most_items = tuple((b, n.most_items) for b, n in nodes if n.most_items is not None)
        self.fewest_most_items = min((m for _, m in self.most_items), default=_NO_LIMIT)
        self.contains = tuple((i, n.contains) for i, n in enumerate(self.nodes) if n.contains is not None)
        checks = [(b, c) for b, n in nodes for c in (n.container_check, n.unique_check) if c is not None]
        self.array_checks: tuple[tuple[int, Check], ...] = tuple(checks)
        self.unevaluated_items = tuple(
            (b, n.unevaluated_items) for b, n in nodes if n.unevaluated_items is not None
        )

    def losses(self, own: int) -> Losses:
        """What can no longer hold when these nodes have failed by their own keywords."""
        known = self._losses.get(own)
        if known is None:
            known = self._find_losses(own)
            self._losses[own] = known
            self.automaton.remember()
        return known

    def _find_losses(self, own: int) -> Losses:
        lost = own & self.all
        for i in self._loose:  # what is applied comes before what applies it
            if not lost >> i & 1 and self._is_lost(i, lost, own):
                lost |= 1 << i
        relevant = self.roots & ~lost
        for i in range(len(self.nodes) - 1, -1, -1):
            if relevant >> i & 1:
                relevant |= self._inside[i] & ~lost
        return Losses(lost & self.roots, self.all & ~relevant)

    def _is_lost(self, i: int, lost: int, own: int) -> bool:
        if self._every[i] & lost or any(not group & ~lost for group in self._some[i]):
            return True
        test, then, otherwise = self._conditions[i]
        if test and (otherwise & lost and (test & lost or then & lost)):
            return True
        return any(own & trigger and lost & bit for trigger, bit in self._implied[i])

    def failures(self, own: int) -> int:
        """The nodes that do not hold for a complete value; own: those that have failed by their own keywords."""
        known = self.known_failures.get(own)
        if known is None:
            failed = own & self.all
            for i in self._loose:
                if not failed >> i & 1 and self.failing_keyword(i, failed, own):
                    failed |= 1 << i
            known = failed
            self.known_failures[own] = known
            self.automaton.remember()
        return known

    def failing_keyword(self, i: int, failed: int, own: int) -> str:
        """The keyword by which node i fails for a complete value, when its own keywords hold; "" when it holds.

        failed: the nodes that fail among those that it applies.
        """
        if self._every[i] & failed:
            return "allOf"
        groups = self._some[i]
        if groups and any(not group & ~failed for group in groups):
            one = self._one[i]
            return "oneOf" if one and not one & ~failed else "anyOf"
        if self._one[i] and (self._one[i] & ~failed).bit_count() != 1:
            return "oneOf"
        if self._none[i] & ~failed:
            return "not"
        test, then, otherwise = self._conditions[i]
        if test and ((otherwise if failed & test else then) & failed):
            return "else" if failed & test else "then"
        if any(own & trigger and failed & bit for trigger, bit in self._implied[i]):
            return "dependentSchemas"
        return ""

    def annotating(self, i: int, failed: int, own: int) -> int:
        """The nodes whose evaluations node i takes over: those that it applies and that hold, through all levels."""
        out = 0
        todo = [i]
        while todo:
            at = todo.pop()
            if out >> at & 1:
                continue
            out |= 1 << at
            test, then, otherwise = self._conditions[at]
            applied = self._every[at] | _union(self._some[at])
            applied |= (otherwise if failed & test else test | then) if test else 0
            applied |= _union(bit for trigger, bit in self._annotating[at] if own & trigger)
            todo.extend(_numbers(applied & ~failed))
        return out

    def failures_with_unevaluated(
        self, own: int, unevaluated: tuple[tuple[int, Place], ...], parts: list[tuple[int, int]]
    ) -> int:
        """`failures`, where nodes ask about parts that nothing has evaluated.

        parts: for each part, the nodes whose own keywords have evaluated it, and those whose `unevaluated...` refuses it.
        """
        asking = _union(bit for bit, _ in unevaluated)
        failed = own & self.all
        for i in range(len(self.nodes)):
            bit = 1 << i
            if failed & bit:
                continue
            if self.failing_keyword(i, failed, own):
                failed |= bit
            elif asking & bit:
                inside = self.annotating(i, failed, own)
                all_evaluated = inside & asking & ~bit  # by another one inside
                if not all_evaluated and any(refused & bit and not by & inside for by, refused in parts):
                    failed |= bit
        return failed

    def members(self, irrelevant: int) -> Members:
        """The steps to properties."""
        known = self._members.get(irrelevant)
        if known is None:
            known = Members(self, irrelevant)
            self._members[irrelevant] = known
            self.automaton.remember()
        return known

    def member(self, name: str, irrelevant: int) -> Step:
        """The step to one property."""
        parts = _Parts()
        marks = self.triggers.get(name, 0)
        for i, node in enumerate(self.nodes):
            bit = 1 << i
            if irrelevant & bit:
                continue
            applied = (
                [] if node.properties is None or name not in node.properties else [node.properties[name]]
            )
            applied += [place for pattern, place in node.patterns if matches(pattern, name)]
            if not applied and node.additional is not None:
                applied.append(node.additional)
            for place in applied:
                if place.schema is False:
                    marks |= bit
                else:
                    parts.must(place, bit)
            if applied:
                parts.evaluators |= bit
            if node.unevaluated_properties is not None:
                parts.unevaluated(node.unevaluated_properties, bit)
            if node.names is not None and not self.automaton.accepts_name(node.names, name):
                marks |= bit
        if self.unevaluated_properties:
            marks |= self._never_evaluated(parts, irrelevant)
        return parts.step(self.automaton, marks, self._present.get(name, 0))

    def _never_evaluated(self, parts: _Parts, irrelevant: int) -> int:
        """Nodes that forbid unevaluated properties, when nothing that they may apply evaluates the one at hand."""
        out = 0
        for bit, place in self.unevaluated_properties:
            if place.schema is False and not bit & irrelevant:
                inside = self._reachable(bit)
                others = _union(b for b, _ in self.unevaluated_properties if b != bit)
                if not inside & (parts.evaluators | others):
                    out |= bit
        return out

    def _reachable(self, bits: int) -> int:
        for i in range(len(self.nodes) - 1, -1, -1):
            if bits >> i & 1:
                bits |= self._inside[i]
        return bits

    def items(self, irrelevant: int) -> Items:
        """The steps to items."""
        known = self._items.get(irrelevant)
        if known is None:
            longest = max((len(n.prefix) for n in self.nodes), default=0)
            known = Items([self._item(number, irrelevant) for number in range(longest + 1)])
            self._items[irrelevant] = known
            self.automaton.remember()
        return known

    def _item(self, number: int, irrelevant: int) -> Step:
        parts = _Parts()
        marks = 0
        for i, node in enumerate(self.nodes):
            bit = 1 << i
            if irrelevant & bit:
                continue
            place = node.prefix[number] if number < len(node.prefix) else node.items
            if place is not None:
                parts.evaluators |= bit
                if place.schema is False:
                    marks |= bit
                else:
                    parts.must(place, bit)
            if node.contains is not None:
                parts.counted(node.contains.place, i)
            if node.unevaluated_items is not None:
                parts.unevaluated(node.unevaluated_items, bit)
        return parts.step(self.automaton, marks, 0)

    def failed_texts(self, prefix: str) -> int:
        """The nodes that no string with this beginning satisfies, as far as lists of values and lengths tell."""
        out = 0
        for bit, texts in self.texts:
            at = bisect_left(texts, prefix)
            if at == len(texts) or not texts[at].startswith(prefix):
                out |= bit
        for bit, most in self.max_lengths:
            if len(prefix) > most:
                out |= bit
        return out

    def closed_names(self, irrelevant: int) -> list[ClosedNames]:
        """The nodes that allow only some names."""
        known = self._closed.get(irrelevant)
        if known is None:
            known = self._find_closed(irrelevant)
            self._closed[irrelevant] = known
            self.automaton.remember()
        return known

    def _find_closed(self, irrelevant: int) -> list[ClosedNames]:
        out: list[ClosedNames] = []
        for i, node in enumerate(self.nodes):
            if irrelevant >> i & 1:
                continue
            closed = node.additional is not None and node.additional.schema is False and not node.patterns
            if closed:
                allowed = sorted(n for n, p in (node.properties or {}).items() if p.schema is not False)
                out.append(ClosedNames(1 << i, "additionalProperties", tuple(allowed)))
            if node.names is not None:
                out.append(ClosedNames(1 << i, "propertyNames", (), self.automaton.state((node.names,))))
        for bit, place in self.unevaluated_properties:
            if place.schema is False and not bit & irrelevant:
                out.extend(self._closed_by_unevaluated(bit))
        return out

    def _closed_by_unevaluated(self, bit: int) -> Iterator[ClosedNames]:
        reachable = self._reachable(bit)
        inside = [(1 << i, n) for i, n in enumerate(self.nodes) if reachable >> i & 1]
        open_ended = any(n.patterns or n.additional is not None for _, n in inside) or any(
            n.unevaluated_properties is not None for b, n in inside if b != bit
        )
        if not open_ended:
            names = {name for _, n in inside for name in n.properties or ()}
            yield ClosedNames(bit, "unevaluatedProperties", tuple(sorted(names)))


@dataclass(frozen=True, slots=True)
class ClosedNames:
    """A node that allows only some names: those in `names`, sorted, or those that satisfy `state`."""

    bit: int
    keyword: str
    names: tuple[str, ...]
    state: State | None = None

    def allowed(self, prefix: str, taken: set[str]) -> Iterator[str]:
        """The names that begin so and are not taken; only of a list."""
        for at in range(bisect_left(self.names, prefix), len(self.names)):
            name = self.names[at]
            if not name.startswith(prefix):
                return
            if name not in taken:
                yield name

    def refuses(self, prefix: str, taken: set[str]) -> bool:
        """Whether no allowed name begins so."""
        if self.state is None:
            return next(self.allowed(prefix, taken), None) is None
        own = self.state.own_of_kind[STRING] | self.state.failed_texts(prefix)
        return bool(self.state.losses(own).roots)


class _Parts:
    """Collects what is asked of one part of a value."""

    def __init__(self) -> None:
        self.evaluators = 0
        self._roots: dict[NodeKey, Place] = {}
        self._must: dict[NodeKey, int] = {}
        self._contains: list[tuple[NodeKey, int]] = []
        self._unevaluated: dict[NodeKey, int] = {}

    def must(self, place: Place, bit: int) -> None:
        if place.schema is True:
            return
        key = self._root(place)
        self._must[key] = self._must.get(key, 0) | bit

    def counted(self, place: Place, number: int) -> None:
        self._contains.append((self._root(place), number))

    def unevaluated(self, place: Place, bit: int) -> None:
        key = self._root(place)
        self._unevaluated[key] = self._unevaluated.get(key, 0) | bit

    def _root(self, place: Place) -> NodeKey:
        key = _key(place)
        self._roots[key] = place
        return key

    def step(self, automaton: Automaton, marks: int, present: int) -> Step:
        state = automaton.state(tuple(self._roots.values()))
        bits = dict(zip(self._roots, state.root_bits, strict=True))
        link = Link(
            tuple((bits[key], nodes) for key, nodes in self._must.items()),
            tuple((bits[key], number) for key, number in self._contains),
            tuple((bits[key], nodes) for key, nodes in self._unevaluated.items()),
        )
        return Step(state, link, marks, present, self.evaluators)


class Automaton:
    """The states of one schema, made when a document first needs them. Not safe to share between threads."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._states: dict[tuple[NodeKey, ...], State] = {}
        self._room = _REMEMBERED
        self.root = State(self, (nodes.root,))

    def remember(self, weight: int = 1) -> None:
        """Note that something was remembered; what is too much is forgotten."""
        self._room -= weight
        if self._room < 0:
            self._room = _REMEMBERED
            self._states = {}
            self.root.forget()

    def state(self, roots: tuple[Place, ...]) -> State:
        """The state of a value to which these subschemas apply. Raises NotStreamable."""
        key = tuple(map(_key, roots))
        known = self._states.get(key)
        if known is None:
            known = State(self, roots)
            self._states[key] = known
            self.remember(20 + len(known.nodes))
        return known

    def accepts_name(self, place: Place, name: str) -> bool:
        """Whether `propertyNames` accepts a name."""
        return not judge_string(self.state((place,)), name)


def judge_string(state: State, text: str) -> int:
    """The nodes that a string fails."""
    own = state.own_of_kind[STRING]
    for bit, check in state.string_checks:
        if not check(text):
            own |= bit
    return state.failures(own) & state.roots


def _in_place(nodes: Nodes, roots: tuple[Place, ...]) -> tuple[list[Node], dict[NodeKey, int]]:
    """The nodes for the roots and all that they apply to the same value, what is applied first; and their numbers."""
    out: list[Node] = []
    numbers: dict[NodeKey, int] = {}
    open_: set[NodeKey] = set()
    for root in roots:
        stack = [(root, iter(nodes.node(root).in_place))] if _key(root) not in numbers else []
        while stack:
            place, rest = stack[-1]
            open_.add(_key(place))
            child = next(rest, None)
            if child is None:
                stack.pop()
                open_.discard(_key(place))
                if _key(place) not in numbers:
                    numbers[_key(place)] = len(out)
                    out.append(nodes.node(place))
                    if len(out) > MAX_NODES_OF_A_VALUE:
                        raise NotStreamable(f"more than {MAX_NODES_OF_A_VALUE} subschemas apply to one value")
            elif _key(child) in open_:
                raise NotStreamable("the schema applies itself to the same value")
            elif _key(child) not in numbers:
                stack.append((child, iter(nodes.node(child).in_place)))
    return out, numbers


def _key(place: Place) -> NodeKey:
    return (place.key, place.scope)


def _checks(nodes: list[Node], kind: int) -> tuple[tuple[int, Check], ...]:
    found = ((1 << i, node.scalar_check(kind)) for i, node in enumerate(nodes) if kind in node.kinds)
    return tuple((bit, check) for bit, check in found if check is not None)


def _union(bits: Iterable[int]) -> int:
    out = 0
    for bit in bits:
        out |= bit
    return out


def _numbers(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


__all__ = [
    "ARRAY",
    "NO_LINK",
    "OBJECT",
    "Automaton",
    "Items",
    "Link",
    "Losses",
    "Members",
    "State",
    "Step",
    "judge_string",
]
