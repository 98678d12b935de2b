"""Which subjects something holds for: all of them, a context, or those whose names fit a pattern. Pure."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from ..errors import InvalidRequest
from .pattern import Glob, is_pattern
from .subject import DEFAULT_CONTEXT, MAX_SUBJECT, parse_context

ALL = "*"
MOST_WILDCARDS = 8
"""Wildcards of one pattern: what looking at a name costs grows with them."""
MOST_RANGES = 64
"""So many ranges of names are read one by one; of more, what lies between them is looked at too."""
MOST_REMEMBERED = 4096
"""Names whose place inside or outside is remembered."""

# Qualified names of the default context do not begin so; all others do, and a context's name has no colon (Subject).
_OTHERS, _BEHIND_OTHERS = ":.", ":/"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Interval = tuple[str, str | None]
"""The qualified names from the first on that are less, by code points, than the second; None: to the end."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Subjects of one context whose names fit a pattern, or all subjects when `context` is "".

    Written `*` for all subjects; `orders.*` or `orders.created` for some of the default context, `:.:*` for all of it;
    `:.staging:*` for a context and `:.staging:orders.*` for some of it. A wildcard never leads from one context into another.
    """

    context: str
    pattern: str = ALL

    @classmethod
    def parse(cls, text: str, field: str = "scope") -> Scope:
        """The scope that a text names; "" is all subjects. Raises InvalidRequest."""
        if text in ("", ALL):
            return EVERYWHERE
        context, pattern = DEFAULT_CONTEXT, text
        if text.startswith(_OTHERS):
            context, colon, pattern = text[1:].partition(":")
            if not colon or not pattern:
                raise InvalidRequest(
                    field, "a scope inside a context is written ':.context:*' or ':.context:pattern'"
                )
            if is_pattern(context):
                raise InvalidRequest(
                    field, f"{context[:80]!r} is no context: only the name behind it may have wildcards"
                )
            context = parse_context(context, field)
            if context == DEFAULT_CONTEXT and pattern.startswith(_OTHERS):
                raise InvalidRequest(field, "must not begin with ':.' after the default context '.'")
        if len(text) > MAX_SUBJECT:
            raise InvalidRequest(field, f"is {len(text)} characters long; the limit is {MAX_SUBJECT}")
        if _CONTROL.search(text) or pattern != pattern.strip():
            raise InvalidRequest(field, "must not contain control characters, nor white space at its ends")
        if pattern.count("*") + pattern.count("?") > MOST_WILDCARDS:
            raise InvalidRequest(field, f"has more than {MOST_WILDCARDS} wildcards")
        return cls(context, re.sub(r"\*+", "*", pattern))

    def __str__(self) -> str:
        if not self.context:
            return ALL
        if self.context == DEFAULT_CONTEXT and self.pattern != ALL:
            return self.pattern
        return f":{self.context}:{self.pattern}"

    @property
    def everything(self) -> bool:
        return not self.context

    @property
    def qualified(self) -> str:
        """The pattern over qualified names."""
        inside = not self.context or self.context == DEFAULT_CONTEXT
        return self.pattern if inside else f":{self.context}:{self.pattern}"

    @property
    def prefix(self) -> str | None:
        """What all its qualified names begin with, when that is all that they have in common; None for other patterns."""
        head = self.qualified[:-1]
        return head if self.pattern.endswith("*") and not is_pattern(head) else None

    def contains(self, name: str) -> bool:
        """Whether the subject with this qualified name is in it; SubjectScope is quicker for many names."""
        return _Matcher([self]).matches(name)

    def covers(self, other: Scope) -> bool:
        """Whether every subject of the other one is surely in this one."""
        if self.everything or self == other:
            return True
        if self.context != other.context:
            return False
        prefix = self.prefix
        return prefix is not None and Glob(other.qualified + "*").prefix.startswith(prefix)

    def intervals(self) -> Sequence[Interval]:
        """The intervals outside which none of its names lies."""
        if not self.context:
            return [("", None)]
        if not is_pattern(self.pattern):
            return [(self.qualified, self.qualified + "\x01")]  # no name has control characters
        prefix = Glob(self.qualified).prefix
        low, high = prefix, _after(prefix)
        if self.context != DEFAULT_CONTEXT or not _OTHERS.startswith(prefix):
            return [(low, high)]
        return [(low, _OTHERS), (_BEHIND_OTHERS, high)]  # all but the other contexts


EVERYWHERE = Scope("")


Layer = tuple[Scope, bool]
"""Subjects of a scope, and whether they belong to a set."""


@dataclass(frozen=True, slots=True)
class Part:
    """Names in an interval that fit a pattern; None: all of them."""

    low: str
    high: str | None
    pattern: str | None = None

    def meets(self, other: Part) -> bool:
        """Whether the intervals have names in common."""
        return _less(self.low, other.high) and _less(other.low, self.high)


@dataclass(frozen=True, slots=True)
class SubjectRange:
    """Qualified names from `low` on, less than `high`: those that are in one of the parts `any_of` (all when it has none), and of
    which the first of the `cases` that holds them says True; `otherwise` where none does."""

    low: str
    high: str | None
    any_of: tuple[Part, ...] = ()
    cases: tuple[tuple[Part, bool], ...] = ()
    otherwise: bool = True


class SubjectScope:
    """A set of subjects: those in one of the scopes `included`, but for those of which the first of the `layers` that holds them says
    that they do not belong to it. Immutable, but for what it remembers."""

    __slots__ = ("_included", "_known", "_layers", "_ranges", "everything", "included", "layers", "nothing")

    def __init__(self, included: Iterable[Scope] = (), layers: Iterable[Layer] = ()) -> None:
        self.included = _least(included)
        self.layers = _deciding(layers)
        self._included = _Matcher(self.included)
        self._layers = tuple((_Matcher([scope]), belongs) for scope, belongs in self.layers)
        self.everything = EVERYWHERE in self.included and not self.layers
        self.nothing = not self.included or self.layers[:1] == ((EVERYWHERE, False),)
        self._known: dict[str, bool] = {}
        self._ranges: Sequence[SubjectRange] | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SubjectScope):
            return NotImplemented
        return (self.included, self.layers) == (other.included, other.layers)

    def __hash__(self) -> int:
        return hash((self.included, self.layers))

    def __repr__(self) -> str:
        layers = "".join(f", {scope} {'too' if belongs else 'not'}" for scope, belongs in self.layers)
        return f"<{', '.join(map(str, self.included)) or 'nothing'}{layers}>"

    def contains(self, name: str) -> bool:
        """Whether the subject with this qualified name is in it."""
        if self.everything:
            return True
        known = self._known.get(name)
        if known is None:
            known = self._included.matches(name) and next(
                (belongs for matcher, belongs in self._layers if matcher.matches(name)), True
            )
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[name] = known
        return known

    def covers(self, scope: Scope) -> bool:
        """Whether every subject of a scope is surely in it."""
        if not any(included.covers(scope) for included in self.included):
            return False
        for layer, belongs in self.layers:
            if not belongs and _meet(layer, scope):
                return False
            if belongs and layer.covers(scope):
                return True
        return True

    def meets(self, scope: Scope) -> bool:
        """Whether some subject of a scope may be in it."""
        if not any(_meet(included, scope) for included in self.included):
            return False
        for layer, belongs in self.layers:
            if belongs and _meet(layer, scope):
                return True
            if not belongs and layer.covers(scope):
                return False
        return True

    def without(self, excluded: Iterable[Scope]) -> SubjectScope:
        """Those that are in none of these scopes."""
        return SubjectScope(self.included, (*((scope, False) for scope in excluded), *self.layers))

    def ranges(self) -> Sequence[SubjectRange]:
        """The names as ranges that have none in common, in their order: at most MOST_RANGES; of nothing none."""
        if self._ranges is None:
            self._ranges = self._made_of_ranges()
        return self._ranges

    def _made_of_ranges(self) -> Sequence[SubjectRange]:
        included = _parts(self.included)
        layers = tuple((part, belongs) for scope, belongs in self.layers for part in _parts([scope]))
        found: list[SubjectRange] = []
        open_ones, open_layers = _Open(included), _Open([part for part, _ in layers])
        for low, high in pairwise(_ends((*included, *(part for part, _ in layers)))):
            assert low is not None, "None is the last end"
            here = [included[number] for number in open_ones.at(low)]
            made = _range(low, high, here, [layers[number] for number in open_layers.at(low)])
            if made is None:
                continue
            if found and found[-1] == replace(made, low=found[-1].low, high=made.low):
                found[-1] = replace(made, low=found[-1].low)
            else:
                found.append(made)
        if len(found) <= MOST_RANGES:
            return found
        return [SubjectRange(found[0].low, found[-1].high, included, layers)]


class _Matcher:
    """Decides whether a qualified name is in one of some scopes."""

    __slots__ = ("_all", "_default_globs", "_default_prefixes", "_globs", "_names", "_prefixes")

    def __init__(self, scopes: Iterable[Scope]) -> None:
        names: set[str] = set()
        prefixes: list[str] = []
        default_prefixes: list[str] = []
        globs: list[Glob] = []
        default_globs: list[Glob] = []
        self._all = False
        for scope in scopes:
            default = scope.context == DEFAULT_CONTEXT
            if scope.everything:
                self._all = True
            elif not is_pattern(scope.pattern):
                names.add(scope.qualified)
            elif (prefix := scope.prefix) is not None:
                (default_prefixes if default else prefixes).append(prefix)
            else:
                (default_globs if default else globs).append(Glob(scope.qualified))
        self._names = frozenset(names)
        self._prefixes, self._default_prefixes = tuple(prefixes), tuple(default_prefixes)
        self._globs, self._default_globs = tuple(globs), tuple(default_globs)

    def matches(self, name: str) -> bool:
        if self._all or name in self._names:
            return True
        if name.startswith(_OTHERS):
            prefixes, globs = self._prefixes, self._globs
        else:
            prefixes, globs = self._default_prefixes, self._default_globs
        return name.startswith(prefixes) or any(glob.matches(name) for glob in globs)


def _least(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """The scopes without those that others cover, in order."""
    found = set(scopes)
    if EVERYWHERE in found:
        return (EVERYWHERE,)
    wide = {(s.context, s.prefix) for s in found if s.prefix is not None}
    return tuple(s for s in sorted(found) if not _inside(s, wide))


def _inside(scope: Scope, wide: Set[tuple[str, str | None]]) -> bool:
    """Whether one of the prefixes `wide`, but its own, covers a scope."""
    literal = Glob(scope.qualified + "*").prefix
    return any(
        (scope.context, literal[:length]) in wide and scope.prefix != literal[:length]
        for length in range(len(literal) + 1)
    )


def _deciding(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers that decide something: behind all of them everything belongs."""
    found: list[Layer] = []
    for layer in layers:
        found.append(layer)
        if layer[0].everything:
            break
    while found and found[-1][1]:
        found.pop()
    while len(found) > 1 and found[-1] == (EVERYWHERE, False) and not found[-2][1]:
        del found[-2]  # the last one says the same
    return tuple(found)


def _parts(scopes: Iterable[Scope]) -> tuple[Part, ...]:
    return tuple(
        Part(
            low,
            high,
            None if not is_pattern(s.pattern) or s.prefix is not None or s.everything else s.qualified,
        )
        for s in scopes
        for low, high in s.intervals()
    )


def _ends(parts: Iterable[Part]) -> Sequence[str | None]:
    """The ends of all intervals in order: each part has all names between two of them in its interval, or none."""
    ends = {end for part in parts for end in (part.low, part.high)}
    last = [None] if None in ends else []
    return [*sorted(end for end in ends if end is not None), *last]


class _Open:
    """Of parts, those in whose interval a name lies, by their numbers; asked for one name after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._coming = sorted(range(len(parts)), key=lambda number: parts[number].low, reverse=True)
        self._open: list[int] = []

    def at(self, name: str) -> Sequence[int]:
        """In the order of the parts. name: not less than the one before."""
        self._open = [number for number in self._open if _less(name, self._parts[number].high)]
        while self._coming and self._parts[self._coming[-1]].low <= name:
            number = self._coming.pop()
            if _less(name, self._parts[number].high):
                insort(self._open, number)
        return self._open


def _range(
    low: str, high: str | None, here: Sequence[Part], layers: Iterable[tuple[Part, bool]]
) -> SubjectRange | None:
    """What of the names between two ends belongs to a set; None when nothing does. here, layers: those whose intervals have them."""
    if not here:
        return None
    any_of = () if any(part.pattern is None for part in here) else tuple(here)
    cases: list[tuple[Part, bool]] = []
    otherwise = True
    for part, belongs in layers:
        if part.pattern is None:
            otherwise = belongs
            break
        cases.append((part, belongs))
    while cases and cases[-1][1] is otherwise:
        cases.pop()
    return SubjectRange(low, high, any_of, tuple(cases), otherwise) if cases or otherwise else None


def _meet(one: Scope, other: Scope) -> bool:
    """Whether two scopes may have subjects in common."""
    if one.everything or other.everything:
        return True
    if one.context != other.context:
        return False
    if not is_pattern(one.pattern):
        return _Matcher([other]).matches(one.qualified)
    if not is_pattern(other.pattern):
        return _Matcher([one]).matches(other.qualified)
    return any(mine.meets(theirs) for mine in _parts([one]) for theirs in _parts([other]))


def _less(name: str, end: str | None) -> bool:
    return end is None or name < end


def _after(prefix: str) -> str | None:
    """The least text greater than all that begin with `prefix`; None when there is none."""
    prefix = prefix.rstrip("\U0010ffff")
    if not prefix:
        return None
    last = ord(prefix[-1])
    return prefix[:-1] + chr(last + 1 if not 0xD7FF <= last < 0xDFFF else 0xE000)


EVERYTHING = SubjectScope([EVERYWHERE])
NOTHING = SubjectScope()
