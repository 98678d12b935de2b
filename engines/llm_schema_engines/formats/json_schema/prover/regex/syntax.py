"""Parses the supported subset of ECMA-262 regular expressions into a tree. Pure.

Not supported: look-behind, back-references, Unicode properties, look-ahead and word boundaries inside a repetition or together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .charsets import BEGIN, DIGIT, DOT, END, SPACE, WORD, Charset, complement, normalize


class Unsupported(Exception):
    """The pattern uses something that the prover does not model."""


@dataclass(frozen=True, slots=True)
class Symbols:
    charset: Charset


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Tree
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class LookAhead:
    part: Tree
    negative: bool


@dataclass(frozen=True, slots=True)
class Boundary:
    r"""`\b`: one of the characters before and after is a part of a word, the other is not; `\B` is negative."""

    negative: bool


Tree = Symbols | Sequence | Choice | Repeat | LookAhead | Boundary

MAX_LENGTH = 400
MAX_GROUPS = 50  # in each other; each takes five calls of this parser
_COUNT = re.compile(r"\{(\d{1,6})(,(\d{0,6}))?\}")
_CLASSES = {
    "d": DIGIT,
    "w": WORD,
    "s": SPACE,
    "D": complement(DIGIT),
    "W": complement(WORD),
    "S": complement(SPACE),
}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0}
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def parse_pattern(pattern: str) -> Tree:
    """The tree of a pattern; raises Unsupported."""
    if len(pattern) > MAX_LENGTH:
        raise Unsupported(f"a pattern longer than {MAX_LENGTH} characters")
    parser = _Parser(pattern)
    tree = parser.choice()
    if parser.at != len(pattern):
        raise Unsupported("an unbalanced parenthesis")
    _check(tree)
    if has_look_ahead(tree) and has_boundary(tree):
        raise Unsupported("look-ahead beside a word boundary")
    return tree


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._groups = 0

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise Unsupported("an unfinished pattern")
        self.at += 1
        return char

    def eat(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def choice(self) -> Tree:
        parts = [self.sequence()]
        while self.eat("|"):
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self) -> Tree:
        parts: list[Tree] = []
        while self.peek() and self.peek() not in "|)":
            parts.append(self.repeat())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def repeat(self) -> Tree:
        part = self.atom()
        while (char := self.peek()) and char in "*+?{":
            if char == "{":
                match = _COUNT.match(self.text, self.at)
                if match is None:
                    raise Unsupported("a brace that is no repetition")
                low = int(match[1])
                high = low if match[2] is None else (int(match[3]) if match[3] else None)
                if high is not None and high < low:
                    raise Unsupported("a repetition that counts backwards")
                self.at = match.end()
            else:
                low, high = _QUANTIFIERS[char]
                self.at += 1
            if not self.eat("?") and self.peek() == "+":
                raise Unsupported("a possessive repetition")
            if isinstance(part, LookAhead):
                raise Unsupported("a repeated look-ahead")
            part = Repeat(part, low, high)
        return part

    def atom(self) -> Tree:
        char = self.take()
        if char == "(":
            return self.group()
        if char == "[":
            return Symbols(self.bracket())
        if char == ".":
            return Symbols(DOT)
        if char == "^":
            return Symbols(((BEGIN, BEGIN),))
        if char == "$":
            return Symbols(((END, END),))
        if char == "\\" and (boundary := self.peek()) and boundary in "bB":
            self.at += 1
            return Boundary(negative=boundary == "B")
        if char == "\\":
            return Symbols(self.escape(in_bracket=False))
        if char in "*+?{":
            raise Unsupported("a repetition of nothing")
        return Symbols(((ord(char), ord(char)),))

    def group(self) -> Tree:
        self._groups += 1
        if self._groups > MAX_GROUPS:
            raise Unsupported(f"groups nested more than {MAX_GROUPS} deep")
        tree = self.group_content()
        self._groups -= 1
        return tree

    def group_content(self) -> Tree:
        if self.eat("?="):
            tree: Tree = LookAhead(self.choice(), negative=False)
        elif self.eat("?!"):
            tree = LookAhead(self.choice(), negative=True)
        elif self.eat("?:"):
            tree = self.choice()
        elif self.peek() == "?":
            name = re.compile(r"\?<([A-Za-z_$][\w$]*)>").match(self.text, self.at)
            if name is None:
                raise Unsupported("look-behind or a flag group")
            self.at = name.end()
            tree = self.choice()
        else:
            tree = self.choice()
        if not self.eat(")"):
            raise Unsupported("an unbalanced parenthesis")
        return tree

    def escape(self, *, in_bracket: bool) -> Charset:
        char = self.take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char == "b" and in_bracket:
            return ((8, 8),)
        if char == "0" and self.peek().isdigit():
            raise Unsupported("an octal escape")
        if char in _CONTROLS:
            return ((_CONTROLS[char], _CONTROLS[char]),)
        if char in "xu":
            code = self.code(char)
            return ((code, code),)
        if char.isalnum() or char in "<>":
            raise Unsupported(f"\\{char}")
        return ((ord(char), ord(char)),)

    def code(self, kind: str) -> int:
        form = r"([0-9A-Fa-f]{2})" if kind == "x" else r"([0-9A-Fa-f]{4})|\{([0-9A-Fa-f]{1,6})\}"
        match = re.compile(form).match(self.text, self.at)
        if match is None:
            raise Unsupported(f"\\{kind} without a code")
        self.at = match.end()
        code = int(next(group for group in match.groups() if group), 16)
        if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise Unsupported("a surrogate")
        return code

    def bracket(self) -> Charset:
        negative = self.eat("^")
        intervals: list[tuple[int, int]] = []
        while not self.eat("]"):
            if self.peek() == "[" or self.text[self.at : self.at + 2] in ("&&", "--", "~~"):
                raise Unsupported("a set operation inside brackets")
            item = self.bracket_item()
            after_dash = self.text[self.at + 1 : self.at + 2]
            if self.peek() == "-" and after_dash and after_dash != "]" and _single(item):
                self.at += 1
                if self.peek() == "[":
                    raise Unsupported("a set operation inside brackets")
                upper = self.bracket_item()
                if not _single(upper) or item[0][0] > upper[0][0]:
                    raise Unsupported("a range that counts backwards")
                intervals.append((item[0][0], upper[0][0]))
            else:
                intervals.extend(item)
        charset = normalize(intervals)
        if not charset:
            raise Unsupported("empty brackets")
        return complement(charset) if negative else charset

    def bracket_item(self) -> Charset:
        char = self.take()
        return self.escape(in_bracket=True) if char == "\\" else ((ord(char), ord(char)),)


def _single(charset: Charset) -> bool:
    return len(charset) == 1 and charset[0][0] == charset[0][1]


def has_look_ahead(tree: Tree) -> bool:
    if isinstance(tree, LookAhead):
        return True
    if isinstance(tree, Sequence | Choice):
        return any(map(has_look_ahead, tree.parts))
    return isinstance(tree, Repeat) and has_look_ahead(tree.part)


def has_boundary(tree: Tree) -> bool:
    if isinstance(tree, Sequence | Choice):
        return any(map(has_boundary, tree.parts))
    return isinstance(tree, Boundary) or (isinstance(tree, Repeat | LookAhead) and has_boundary(tree.part))


def _has_mark(tree: Tree, mark: int) -> bool:
    """Whether the tree consumes a mark; look-ahead consumes nothing."""
    if isinstance(tree, Symbols):
        return tree.charset == ((mark, mark),)
    if isinstance(tree, Sequence | Choice):
        return any(_has_mark(part, mark) for part in tree.parts)
    return isinstance(tree, Repeat) and _has_mark(tree.part, mark)


def _check(tree: Tree) -> None:
    """Raises Unsupported where consuming the anchors `^` and `$` like characters would not be exact."""
    if isinstance(tree, Repeat):
        if _has_mark(tree.part, BEGIN) or _has_mark(tree.part, END):
            raise Unsupported("an anchor inside a repetition")
        if has_look_ahead(tree.part):
            raise Unsupported("look-ahead inside a repetition")
        if has_boundary(tree.part):
            raise Unsupported("a word boundary inside a repetition")
        _check(tree.part)
    elif isinstance(tree, LookAhead):
        if _has_mark(tree.part, BEGIN):
            raise Unsupported("^ inside look-ahead")
        _check(tree.part)
    elif isinstance(tree, Choice):
        for part in tree.parts:
            _check(part)
    elif isinstance(tree, Sequence):
        begins = 0
        for i, part in enumerate(tree.parts):
            _check(part)
            if _has_mark(part, END) and i != len(tree.parts) - 1:
                raise Unsupported("$ before the end")
            if _has_mark(part, BEGIN):
                begins += 1
                if any(has_look_ahead(earlier) for earlier in tree.parts[:i]):
                    raise Unsupported("look-ahead before ^")
                if any(has_boundary(earlier) for earlier in tree.parts[:i]):
                    raise Unsupported("a word boundary before ^")
        if begins > 1:
            raise Unsupported("^ twice")
