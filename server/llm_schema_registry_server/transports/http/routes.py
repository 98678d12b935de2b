"""The route table, built from google.api.http bindings. Pure.

Templates are literal segments and captures of one segment, `{field}`, which may end in a custom verb (`{field}:verb`).
A literal wins over a capture, a capture with a verb over one without. Paths are matched before they are decoded, so that
`%2F` in a subject is no separator.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ...errors import InvalidRequest
from ...rpc.protobuf.method import Method
from .errors import RouteNotFound, VerbNotAllowed

_CAPTURE = re.compile(r"\{(?P<field>[a-z_][a-z0-9_.]*)\}(?P<verb>:[A-Za-z]+)?")
_LITERAL = re.compile(r"[^{}*/]+")

Match = tuple["Route", Mapping[str, str]]
"""A route and what its captures hold, decoded."""


@dataclass(frozen=True, slots=True)
class Route:
    """One binding of one method; `fields` are the captured request fields in the order of the path."""

    method: Method
    verb: str
    template: str
    fields: tuple[str, ...]
    body: str
    place: tuple[str, str] = field(init=False, repr=False, compare=False)
    """Verb and template."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", (self.verb, self.template))

    @property
    def creates(self) -> bool:
        """Whether success is 201: a POST to a collection that changes something."""
        return (
            self.verb == "POST"
            and self.method.operation.mutates
            and ":" not in self.template.rsplit("/", 1)[-1]
        )


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    # By custom verb (":undelete"), "" for a plain capture.
    captures: dict[str, _Node] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)


class Routes:
    """Every binding of every method. Raises TypeError for a template that we cannot serve, and for two alike."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._root = _Node()
        self._verbs: dict[str, None] = {}
        self._readable: list[str] = []
        for method in methods:
            for binding in method.bindings:
                self._add(method, binding.verb, binding.path, binding.body)
                self._verbs[binding.verb] = None
                if binding.verb == "GET":
                    self._readable.append(binding.path)

    def match(self, verb: str, raw_path: str) -> Match:
        """The route and what its captures hold, decoded.

        Raises RouteNotFound, VerbNotAllowed, and InvalidRequest for a capture that is not UTF-8 or empty.
        """
        segments = raw_path.removeprefix("/").split("/")
        found = _find(self._root, segments, 0, verb)
        if found is not None:
            route, captured = found
            return route, {f: _decode(f, text) for f, text in zip(route.fields, captured, strict=True)}
        allowed = [other for other in self._verbs if _find(self._root, segments, 0, other)]
        if allowed:
            raise VerbNotAllowed(verb, raw_path, allowed, self._readable_below(verb, segments, allowed[0]))
        raise RouteNotFound(raw_path)

    def _readable_below(self, verb: str, segments: list[str], other: str) -> str:
        """The shortest path below this one that can be read, for who tries to read here; "" where that is no help.

        Nobody who reads `/subjects/orders` shall be told of nothing but the verb that deletes it.
        """
        found = _find(self._root, segments, 0, other)
        if verb != "GET" or found is None:
            return ""
        below = [path for path in self._readable if path.startswith(f"{found[0].template}/")]
        return min(below, key=len, default="")

    def _add(self, method: Method, verb: str, template: str, body: str) -> None:
        node, fields = self._root, []
        for segment in template.removeprefix("/").split("/"):
            if capture := _CAPTURE.fullmatch(segment):
                fields.append(capture["field"])
                node.captures.setdefault(capture["verb"] or "", _Node())
                node.captures = dict(sorted(node.captures.items(), reverse=True))  # the plain one, "", last
                node = node.captures[capture["verb"] or ""]
            elif _LITERAL.fullmatch(segment):
                node = node.literals.setdefault(segment, _Node())
            else:
                raise TypeError(f"{method.path}: cannot serve {template!r}: segment {segment!r}")
        if other := node.routes.get(verb):
            raise TypeError(f"{verb} {template} belongs to {other.method.path} and {method.path}")
        node.routes[verb] = Route(method, verb, template, tuple(fields), body)


class RecentRoutes:
    """Where GETs of paths led lately, by raw path, so that a path that is asked again need not be matched again.

    Holds the last `most` paths that were added, of at most `longest` bytes each. It tells of paths and nothing else: whoever
    asks makes a call of the route and takes it through all guards.
    """

    def __init__(self, most: int = 4096, longest: int = 256) -> None:
        self._most, self._longest = most, longest
        self._matches: OrderedDict[bytes, Match] = OrderedDict()
        self.get = self._matches.get
        """The match of a raw path, None when it is not held."""

    def __len__(self) -> int:
        return len(self._matches)

    def add(self, raw_path: bytes, match: Match) -> None:
        """Holds a match, and lets the oldest go when there are too many."""
        if len(raw_path) > self._longest:
            return
        self._matches[raw_path] = match
        if len(self._matches) > self._most:
            self._matches.popitem(last=False)


def _find(node: _Node, segments: list[str], at: int, verb: str) -> tuple[Route, tuple[str, ...]] | None:
    """The best route for the segments from `at` on, and what its captures hold of them."""
    end = len(segments)
    while at < end and not node.captures:  # nothing to choose from, as in /api/v1/schemas
        only = node.literals.get(segments[at])
        if only is None:
            return None
        node, at = only, at + 1
    if at == end:
        route = node.routes.get(verb)
        return None if route is None else (route, ())
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None and (found := _find(literal, segments, at + 1, verb)) is not None:
        return found
    for suffix, after in node.captures.items():  # those with a custom verb come first
        if segment.endswith(suffix) and (found := _find(after, segments, at + 1, verb)) is not None:
            return found[0], (segment[: len(segment) - len(suffix)], *found[1])
    return None


def _decode(name: str, text: str) -> str:
    if not text:
        raise InvalidRequest(name, "is empty in the path")
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequest(name, "is not percent-encoded UTF-8 in the path") from error
