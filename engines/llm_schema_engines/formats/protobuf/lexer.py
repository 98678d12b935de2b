"""Splits .proto text into tokens and refuses text that would harm the compiler, before the compiler sees it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import InvalidSchema, SchemaIssue
from .limits import ProtobufLimits
from .string_literals import OptionTexts, may_be_no_text

# The last alternatives catch an unclosed comment or string at once: rescanning from each of many would be quadratic.
_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n\v\f]+)"
    rb"|(?P<word>[A-Za-z0-9_.]+)"
    rb"|(?P<comment>//[^\n]*|/\*.*?\*/)"
    rb"|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    rb"|(?P<open>[{\[<])|(?P<close>[}\]>])|(?P<part>[;,])"
    rb"|(?P<unclosed_comment>/\*)|(?P<unclosed_string>[\"'])"
    rb"|(?P<other>.)",
    re.DOTALL,
)
_SPACES = re.compile(rb"\s+")
_MODIFIERS = frozenset({b"public", b"weak", b"option"})


MAP_KEYS = frozenset(
    b"int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string".split()
)
"""https://protobuf.dev/programming-guides/proto3/#maps"""


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of scanning a file: the paths that it imports, and its text without white space.

    `compact` keeps the order of everything and the words of comments.
    """

    imports: tuple[str, ...]
    compact: bytes


def scan(source: bytes, limits: ProtobufLimits) -> Scan:
    """The tokens of `source`; raises InvalidSchema when it is not UTF-8 or exceeds a limit."""
    _check_text(source, limits)
    tokens: list[tuple[str, bytes]] = []
    meter = _LimitCounter(source, limits)
    for match in _TOKEN.finditer(source):
        kind, token = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        meter.count(kind, token, match.start())
        tokens.append((kind, _SPACES.sub(b" ", token) if kind == "comment" else token))
    meter.finish()
    return Scan(tuple(_imports(tokens)), b"\n".join(token for _, token in tokens))


def refuse(rule: str, message: str, source: bytes = b"", offset: int | None = None) -> InvalidSchema:
    """An InvalidSchema with one issue, at `offset` of `source` when that is known."""
    line = column = 0
    if offset is not None:
        line = source.count(b"\n", 0, offset) + 1
        column = offset - (source.rfind(b"\n", 0, offset) + 1) + 1
    return InvalidSchema([SchemaIssue(rule, message, line=line, column=column)])


def _check_text(source: bytes, limits: ProtobufLimits) -> None:
    if len(source) > limits.source:
        raise refuse(
            "SOURCE_TOO_LARGE",
            f"the file is {len(source)} bytes long; the limit is {limits.source} (setting protobuf.file_bytes)",
        )
    if not source.strip():
        raise refuse("SOURCE_EMPTY", "the schema is empty; declare at least one message, enum or service")
    try:
        source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse("NOT_UTF8", "the schema is not UTF-8 text", source, error.start) from None
    if b"\0" in source:
        raise refuse("SYNTAX", "the schema contains a NUL byte", source, source.index(b"\0"))


class _LimitCounter:
    """Counts the tokens of one file against the limits."""

    def __init__(self, source: bytes, limits: ProtobufLimits) -> None:
        self._source = source
        self._limits = limits
        self._statements = 0
        self._names = 0
        self._word = 0
        self._dots = 0  # of the names since the last statement or bracket began: each part of an option's path nests too
        self._map: list[
            bytes
        ] = []  # the tokens since the word `map`, as long as they are those of a map's type
        self._texts = OptionTexts() if may_be_no_text(source) else None
        self._scopes: list[tuple[int, int]] = []  # of the open brackets: length of the qualified name, depth

    def count(self, kind: str, token: bytes, offset: int) -> None:
        limits = self._limits
        if (self._map or token == b"map") and kind != "comment":
            self._check_map(kind, token, offset)
        if (
            self._texts is not None
            and kind != "comment"
            and (start := self._texts.token(kind, token, offset)) is not None
        ):
            raise self._refuse(  # protoc dies of such an option, unless its type is bytes
                "NOT_UTF8",
                "the bytes that the escapes of this string stand for are not UTF-8; an option holds text (write bytes as base64)",
                start,
            )
        if kind == "word":
            self._word = len(token)
            if b"." in token and not token.lstrip(b".")[:1].isdigit():
                self._dots += token.count(b".")
                self._check_depth((self._scopes[-1][1] if self._scopes else 0) + self._dots, offset)
            if self._word > limits.identifier and max(map(len, token.split(b"."))) > limits.identifier:
                raise self._refuse(
                    "IDENTIFIER_TOO_LONG",
                    f"a name is longer than {limits.identifier} characters (setting protobuf.name_length)",
                    offset,
                )
        elif kind == "open":
            name, depth = self._scopes[-1] if self._scopes else (0, 0)
            self._scopes.append((name + self._word + 1, depth + self._dots + 1))
            self._check_depth(self._scopes[-1][1], offset)
            self._dots = 0
        elif kind == "close":
            self._dots = 0
            if self._scopes:
                self._scopes.pop()
        elif kind == "part":
            self._statements += 1
            self._dots = 0
            self._names += (self._scopes[-1][0] if self._scopes else 0) + self._word
            if self._statements > limits.statements:
                raise self._refuse(
                    "TOO_MANY_STATEMENTS",
                    f"more than {limits.statements} statements and list items (the setting protobuf.statements); "
                    "split the schema",
                    offset,
                )
        elif kind == "unclosed_comment":
            raise self._refuse("SYNTAX", "a comment is opened with /* and never closed", offset)
        elif kind == "unclosed_string":
            raise self._refuse("SYNTAX", "a string is not closed on its line", offset)

    def _check_map(self, kind: str, token: bytes, offset: int) -> None:
        """protoc dies of an option that holds a map whose keys are messages."""
        if token == b"map":
            self._map = [token]
        elif (len(self._map) == 1 and token == b"<") or (len(self._map) == 2 and kind == "word"):
            self._map.append(token)
        else:
            key = self._map[2] if len(self._map) == 3 and token == b"," else b"string"
            self._map = []
            if key not in MAP_KEYS:
                raise self._refuse(
                    "MAP_KEY_INVALID",
                    f"the keys of a map cannot be {key[:80].decode()}; they are integers, bool or string",
                    offset,
                )

    def _check_depth(self, depth: int, offset: int) -> None:
        if depth > self._limits.brackets:
            raise self._refuse(
                "NESTING_TOO_DEEP",
                f"brackets and the parts of option names are nested more than {self._limits.brackets} deep (setting protobuf.schema_depth); "
                "flatten the schema",
                offset,
            )

    def finish(self) -> None:
        if self._names > self._limits.names:
            raise self._refuse(
                "NAMES_TOO_LONG",
                f"the qualified names need {self._names} bytes; the limit is {self._limits.names} "
                "(the setting protobuf.name_bytes); shorten the names or nest less",
            )

    def _refuse(self, rule: str, message: str, offset: int | None = None) -> InvalidSchema:
        return refuse(rule, message, self._source, offset)


def _imports(tokens: list[tuple[str, bytes]]) -> Iterator[str]:
    """The paths of the import statements; a path written with escapes is left to the compiler to refuse."""
    code = [(kind, token) for kind, token in tokens if kind != "comment"]
    for index, (kind, token) in enumerate(code):
        if kind != "word" or token != b"import" or (index and code[index - 1][1] not in (b";", b"}")):
            continue
        rest = index + 1
        if rest < len(code) and code[rest][1] in _MODIFIERS:
            rest += 1
        path = b""
        while rest < len(code) and code[rest][0] == "string":
            path += code[rest][1][1:-1]
            rest += 1
        if path and b"\\" not in path:
            yield path.decode()
