"""A grammar as a tree, and how it is written: GBNF, Lark, one regular expression. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import InvalidRequest
from ..formats.json_schema.prover.regex.charsets import LAST, complement

MOST_TEXT = 1_000_000
"""Characters of a grammar."""


class Syntax(enum.StrEnum):
    """GBNF: llama.cpp and Ollama. LARK: llguidance, and custom tools of OpenAI. REGEX: what Python and Rust read alike."""

    GBNF = "GBNF"
    LARK = "LARK"
    REGEX = "REGEX"


@dataclass(frozen=True, slots=True)
class Text:
    """These characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of these, as sorted intervals of code points."""

    intervals: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of these."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """Repeated; high None is without end."""

    part: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What the rule of this name says."""

    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """A part without rules, which is one lexeme where a notation has lexemes. It does not match the empty text."""

    part: Node


Node = Text | Chars | Seq | Alt | Many | Rule | Token
NOTHING = Text("")


def repeated(part: Node, low: int, high: int | None) -> Node:
    """A part so many times; no times are nothing, for which not every notation has a count."""
    return NOTHING if high == 0 else Many(part, low, high)


def written(root: Node, rules: Mapping[str, Node], syntax: Syntax) -> str:
    """The grammar in a notation. Raises InvalidRequest for what is too large, and for a regular expression of
    what nests without end: a recursion, or any JSON value."""
    if syntax is Syntax.REGEX:
        return _Regex(rules).whole(root)
    if syntax is Syntax.GBNF:
        lines = [f"{name} ::= {_gbnf(node)}" for name, node in {"root": root, **rules}.items()]
    else:
        lines = [f"{name}: {_lark(node)}" for name, node in {"start": root, **rules}.items()]
    text = "\n".join(lines) + "\n"
    if len(text) > MOST_TEXT:
        raise _too_large()
    return text


def _too_large() -> InvalidRequest:
    return InvalidRequest(
        "schema", f"its grammar would have more than {MOST_TEXT} characters; split the schema"
    )


def _repetition(node: Many) -> tuple[Node, int, int | None]:
    """What is repeated how often; at least once or not at all is from zero."""
    inner = node.part
    while isinstance(inner, Token):
        inner = inner.part
    if (node.low, node.high) == (0, 1) and isinstance(inner, Many) and inner.low == 1:
        return inner.part, 0, inner.high
    return node.part, node.low, node.high


def _is_many(node: Node) -> bool:
    """Whether a repetition would be repeated, which no notation writes without a group."""
    while isinstance(node, Token):
        node = node.part
    return isinstance(node, Many)


def _count(low: int, high: int | None) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (low, high) in known:
        return known[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _gbnf(node: Node, inner: bool = False) -> str:
    match node:
        case Text(text):
            return '"' + "".join(map(_gbnf_char, text)) + '"'
        case Chars(intervals):
            return _class(intervals)
        case Rule(name):
            return name
        case Token(part):
            return _gbnf(part, inner)
        case Many():
            part, low, high = _repetition(node)
            text = _gbnf(part, True)
            return f"{f'({text})' if _is_many(part) else text}{_count(low, high)}"
        case Seq(parts):
            text = " ".join(_gbnf(p, isinstance(p, Alt)) for p in parts if p != NOTHING) or '""'
            return f"({text})" if inner else text
        case Alt(parts):
            text = " | ".join(_gbnf(p) for p in parts)
            return f"({text})" if inner else text


def _gbnf_char(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else _escaped(ord(char))


def _lark(node: Node, inner: bool = False) -> str:
    match node:
        case Text(text):
            return '"' + "".join(map(_gbnf_char, text)) + '"'
        case Rule(name):
            return name
        case Token() | Chars():
            return f"/{_Regex({}).text(node).replace('/', chr(92) + '/')}/"
        case Many(part, low, high):
            return f"{_lark(part, True)}{_count(low, high)}"
        case Seq(parts):
            text = " ".join(_lark(p, isinstance(p, Alt)) for p in parts if p != NOTHING) or '""'
            return f"({text})" if inner else text
        case Alt(parts):
            text = " | ".join(_lark(p) for p in parts)
            return f"({text})" if inner else text


class _Regex:
    """Writes everything in one expression."""

    def __init__(self, rules: Mapping[str, Node]) -> None:
        self._rules = rules
        self._open: set[str] = set()
        self._size = 0

    def whole(self, root: Node) -> str:
        return self.text(root)

    def text(self, node: Node, inner: bool = False) -> str:
        """inner: whether it is repeated."""
        text = self._written(node, inner)
        self._size += 1 if isinstance(node, Rule | Token) else len(text)
        if self._size > 20 * MOST_TEXT or len(text) > MOST_TEXT:
            raise _too_large()
        return text

    def _written(self, node: Node, inner: bool) -> str:
        match node:
            case Text(text):
                plain = "".join(map(_regex_char, text))
                return f"(?:{plain})" if inner and len(text) != 1 else plain
            case Chars(intervals):
                return _class(intervals)
            case Token(part):
                return self.text(part, inner)
            case Rule(name):
                if name in self._open:
                    raise InvalidRequest(
                        "syntax",
                        "the schema refers to itself or allows any value somewhere, which no regular expression can say; ask for GBNF or LARK",
                    )
                self._open.add(name)
                text = self.text(self._rules[name], inner)
                if inner and _is_many(self._rules[name]):
                    text = f"(?:{text})"
                self._open.discard(name)
                return text
            case Many():
                part, low, high = _repetition(node)
                text = self.text(part, True)
                return f"{f'(?:{text})' if _is_many(part) else text}{_count(low, high)}"
            case Seq(parts):
                text = "".join(self.text(p, self._is_choice(p)) for p in parts)
                return f"(?:{text})" if inner else text
            case Alt(parts):
                text = "|".join(self.text(p) for p in parts)
                return f"(?:{text})" if inner else text

    def _is_choice(self, node: Node) -> bool:
        """Whether a part of a sequence needs a group."""
        while isinstance(node, Rule | Token):
            node = self._rules[node.name] if isinstance(node, Rule) else node.part
        return isinstance(node, Alt)


def _regex_char(char: str) -> str:
    return char if char.isalnum() or char in ' "_,:' else _escaped(ord(char)) if ord(char) < 0x80 else char


def _class(intervals: tuple[tuple[int, int], ...]) -> str:
    if intervals[-1][1] == LAST:  # all but a few: no text that is UTF-8 holds half of a surrogate pair
        others = [(low, high) for low, high in complement(intervals) if (low, high) != (0xD800, 0xDFFF)]
        if others:
            return f"[^{_members(others)}]"
    return f"[{_members(intervals)}]"


def _members(intervals: Iterable[tuple[int, int]]) -> str:
    parts = [_member(low) + (f"-{_member(high)}" if high > low else "") for low, high in intervals]
    return "".join(parts)


def _member(code: int) -> str:
    char = chr(code)
    return char if code < 0x80 and char.isalnum() else _escaped(code)


def _escaped(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
