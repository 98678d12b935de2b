"""The statements of a .proto file that compiles, with their places in the text, so that they can be taken out and put in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<word>[A-Za-z0-9_.]+)|(?P<mark>.)",
    re.DOTALL,
)
_BLOCKS = frozenset(("message", "enum", "service", "oneof", "extend"))
_RESERVED_WORDS = frozenset(("option", "reserved", "extensions", "syntax", "edition", "package", "import"))
_LABELS = frozenset(("optional", "required", "repeated"))


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Statement:
    """One statement. kind: `message`, `enum`, `service`, `oneof`, `extend`, `rpc`, `field`, `value`, or the word that it begins with.

    start, end: its text, with the comments above it from `lead`. body: between its braces, (0, 0) without any. number, label: of a
    field or a value of an enumeration. spots: places of its name and number.
    """

    kind: str
    name: str
    lead: int
    start: int
    end: int
    body: tuple[int, int] = (0, 0)
    number: int | None = None
    label: str = ""
    words: tuple[str, ...] = ()
    spots: tuple[tuple[int, int], ...] = ()
    parent: Statement | None = None
    children: list[Statement] = field(default_factory=list)

    @property
    def scope(self) -> Statement | None:
        """The message, enum or service that names it; oneofs name nothing."""
        above = self.parent
        while above is not None and above.kind in ("oneof", "extend"):
            above = above.parent
        return above


class ProtoText:
    """A .proto file by its statements."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[_Token] = []
        comments: list[_Token] = []
        self._leads: dict[int, int] = {}
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or ""
            if kind == "space":
                if match.group().count("\n") > 1:
                    comments = []
                continue
            token = _Token(kind, match.group(), match.start(), match.end())
            if kind == "comment":
                if (
                    comments
                    or "\n" in text[self._tokens[-1].end if self._tokens else 0 : token.start]
                    or not self._tokens
                ):
                    comments.append(token)
                continue
            self._leads[token.start] = comments[0].start if comments else token.start
            comments = []
            self._tokens.append(token)
        self._at = 0
        self.statements: list[Statement] = []
        while self._at < len(self._tokens):
            self._statement(None, self.statements)
        self._tokens, self._leads = [], {}  # many times as large as the text
        self.package = next((s.name for s in self.statements if s.kind == "package"), "")
        self.editions = any(s.kind == "edition" for s in self.statements)
        self.named: dict[str, Statement] = {}
        for statement in self.walk():
            if statement.kind in ("message", "enum", "service", "rpc", "field", "value", "oneof"):
                self.named.setdefault(self.full_name(statement), statement)

    def walk(self) -> Iterator[Statement]:
        pending = list(reversed(self.statements))
        while pending:
            statement = pending.pop()
            yield statement
            pending += reversed(statement.children)

    def full_name(self, statement: Statement) -> str:
        """Package, messages around and name; a value is named by its enumeration, as comparisons name it."""
        parts = [statement.name]
        above = statement.scope
        while above is not None:
            parts.append(above.name)
            above = above.scope
        return ".".join([*([self.package] if self.package else []), *reversed(parts)])

    def of(self, statement: Statement) -> str:
        """Its text with the comments above it."""
        return self.text[statement.lead : statement.end]

    def members(self, scope: Statement | None) -> list[Statement]:
        """What the braces of a message hold, and those of its oneofs."""
        found = []
        for statement in self.statements if scope is None else scope.children:
            found.append(statement)
            if statement.kind == "oneof":
                found += statement.children
        return found

    def by_number(self, scope: Statement | None, number: int | None, kind: str) -> Statement | None:
        return next((s for s in self.members(scope) if s.kind == kind and s.number == number), None)

    def resolve(self, name: str, scope: str) -> Statement | None:
        """The message or enumeration that a type's name means inside `scope`."""
        if name.startswith("."):
            return self.named.get(name[1:])
        while True:
            found = self.named.get(f"{scope}.{name}" if scope else name)
            if found is not None and found.kind in ("message", "enum"):
                return found
            if not scope:
                return None
            scope = scope.rpartition(".")[0]

    # -- edits: each gives the text after it

    def without(self, statement: Statement) -> str:
        """The text without a statement, and without its line when nothing else is on it."""
        start, end = statement.lead, statement.end
        line = self.text.rfind("\n", 0, start) + 1
        rest = self.text.find("\n", end)
        rest = len(self.text) if rest < 0 else rest
        if not self.text[line:start].strip() and not self.text[end:rest].strip():
            start, end = line, min(rest + 1, len(self.text))
        return self.text[:start] + self.text[end:]

    def instead(self, statement: Statement, text: str) -> str:
        """The text with another one in place of a statement and the comments above it."""
        return self.text[: statement.lead] + text + self.text[statement.end :]

    def inside(self, scope: Statement | None, pieces: Sequence[str]) -> str:
        """The text with statements put at the end of a message, enumeration or service, or of the file."""
        if scope is None:
            return self.text.rstrip() + "\n\n" + "\n".join(pieces) + "\n"
        at = scope.body[1]
        body = self.text[scope.body[0] : at]
        if "\n" not in body:
            return self.text[:at].rstrip() + " " + " ".join(pieces) + " " + self.text[at:]
        indent = re.search(r"\n([ \t]*)\S", body)
        before = indent.group(1) if indent else "  "
        tail = self.text[:at].rstrip()
        closing = self.text[len(tail) : at]
        return tail + "".join(f"\n{before}{piece}" for piece in pieces) + closing + self.text[at:]

    # -- reading

    def _statement(self, parent: Statement | None, into: list[Statement]) -> None:
        first = self._tokens[self._at]
        if first.text == ";":
            self._at += 1
            return
        head: list[_Token] = []
        depth = 0
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "mark" and token.text in "([":
                depth += 1
            elif token.kind == "mark" and token.text in ")]":
                depth -= 1
            if depth == 0 and token.kind == "mark" and token.text in ";{":
                break
            head.append(token)
        else:
            token = self._tokens[-1]
        statement = self._made(first, head, parent)
        into.append(statement)
        if token.text == "{":
            block = first.text in _BLOCKS or first.text == "rpc" or any(t.text == "group" for t in head[:2])
            statement.body = (token.end, token.end)
            if block:
                self._children(statement)
            else:
                self._skip()
        statement.end = self._tokens[self._at - 1].end

    def _children(self, statement: Statement) -> None:
        while self._at < len(self._tokens) and self._tokens[self._at].text != "}":
            self._statement(statement, statement.children)
        closing = self._tokens[min(self._at, len(self._tokens) - 1)]
        statement.body = (statement.body[0], closing.start)
        self._at += 1

    def _skip(self) -> None:
        """A value in braces, and what follows it up to the semicolon."""
        depth = 1
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "mark":
                depth += (token.text == "{") - (token.text == "}")
                if depth == 0 and token.text == ";":
                    return

    def _made(self, first: _Token, head: Sequence[_Token], parent: Statement | None) -> Statement:
        lead = self._leads[first.start]
        words = tuple(t.text for t in head if t.kind == "word")
        made = Statement(first.text, words[1] if len(words) > 1 else "", lead, first.start, first.end)
        made.parent, made.words = parent, words
        inside = parent.kind if parent is not None else ""
        if first.text == "option":
            equals = next((i for i, t in enumerate(head) if t.text == "="), len(head))
            made.name = "".join(t.text for t in head[1:equals])
            return made
        if inside not in ("message", "enum", "oneof", "extend", "group"):
            return made
        equals = next((i for i, t in enumerate(head) if t.text == "="), 0)
        plain = first.text in _RESERVED_WORDS and inside != "enum" and equals == 0
        if not equals or plain or equals + 1 >= len(head):
            return made
        number, name = head[equals + 1], head[equals - 1]
        sign = ""
        if number.text == "-" and equals + 2 < len(head):
            sign, number = "-", head[equals + 2]
        try:
            made.number = int(sign + number.text, 0)
        except ValueError:
            return made
        made.kind = "value" if inside == "enum" else "field"
        made.name = name.text
        made.label = first.text if first.text in _LABELS else ""
        made.spots = ((name.start, name.end), (number.start, number.end))
        return made


@lru_cache(maxsize=8)
def proto_text(text: str) -> ProtoText:
    """The statements of a text; the last ones are kept."""
    return ProtoText(text)
