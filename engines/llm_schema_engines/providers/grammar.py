"""Grammars for local engines: a schema as GBNF, Lark or a regular expression, with what they do not hold. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest
from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.limits import DEFAULT_LIMITS, JsonSchemaLimits
from ..formats.json_schema.prover.regex.charsets import BEGIN, END, complement, normalize
from ..formats.json_schema.prover.regex.syntax import (
    Choice,
    Repeat,
    Symbols,
    Tree,
    Unsupported,
    parse_pattern,
)
from ..formats.json_schema.prover.regex.syntax import Sequence as Row
from ..model.compatibility import Verdict
from .compiling import DEFAULT_BUDGET, compile_schema
from .conditions import Site
from .losses import CompileLoss
from .notation import NOTHING, Alt, Chars, Many, Node, Rule, Seq, Syntax, Text, Token, repeated, written
from .profile import Basis, Cell, Profile, Support
from .proving import ProofBudget
from .reading import read_profile

_MOST_REPEATS = 1000
"""The greatest bound of a length or of a number of items that is written into a grammar."""
_MOST_NAMES = 200
"""Declared properties beside which others are allowed: their names are told from those."""
_MOST_NAME = 200
_MOST_ROW = 16
"""Characters of a name that are written in a row: what is nested for each of them is more than engines take."""
_MOST_SPACE = 20


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar of the JSON texts that are valid under a schema.

    Keys come in the order of the schema; white space between tokens is free, up to 20 characters at a place. losses: what it accepts
    more or less; widened, narrowed: whether it does, in terms of values: YES is proved not, NO has a witness.
    """

    syntax: Syntax
    text: str
    losses: tuple[CompileLoss, ...]
    widened: Verdict
    narrowed: Verdict


class _GrammarProfile(Profile):
    """What a grammar can say. A pattern is kept where it can be written as a grammar."""

    def cell(self, site: Site) -> Cell:
        found = Profile.cell(self, site)
        if site.keyword == "pattern" and isinstance(site.value, str) and pattern_node(site.value) is None:
            return _unwritable(self.as_of)
        return found

    def plain_cell(self, keyword: str) -> Cell | None:
        return None if keyword == "pattern" else Profile.plain_cell(self, keyword)


@functools.lru_cache(maxsize=8)
def _unwritable(as_of: str) -> Cell:
    return Cell(Support.REJECTED, Basis.DOCUMENTED, "grammar", as_of, "it cannot be written as a grammar")


@functools.cache
def grammar_profile() -> Profile:
    """What grammars can say, as a profile."""
    yes = {"support": "ENFORCED", "basis": "DOCUMENTED", "source": "grammar"}
    no = {
        "support": "REJECTED",
        "basis": "DOCUMENTED",
        "source": "grammar",
        "note": "a grammar does not hold it",
    }
    text = {"support": "ACCEPTED", "basis": "DOCUMENTED", "source": "grammar"}
    counted = [no | {"when": {"above": _MOST_REPEATS}}, yes]
    length = [no | {"note": "not beside a pattern", "when": {"beside": ["pattern"]}}, *counted]
    enforced = ("type", "properties", "required", "items", "prefixItems", "additionalProperties", "anyOf")
    profile = read_profile(
        json.dumps(
            {
                "id": "grammar",
                "version": 1,
                "title": "Grammars of this package",
                "provider": "a grammar",
                "as_of": "2026-11-29",
                "sources": {"grammar": {"title": "providers/grammar.py"}},
                "enforcement": yes,
                "unlisted": no,
                "keywords": {
                    **dict.fromkeys((*enforced, "$ref", "$defs", "enum", "const", "pattern"), yes),
                    **dict.fromkeys(("minLength", "maxLength"), length),
                    **dict.fromkeys(("minItems", "maxItems"), counted),
                    **dict.fromkeys(("title", "description", "default", "examples"), text),
                },
                "structure": dict.fromkeys(
                    (
                        "root_any",
                        "root_union",
                        "open_object",
                        "typed_map",
                        "optional_property",
                        "no_required",
                        "untyped",
                        "untyped_items",
                        "type_list",
                        "recursion",
                    ),
                    yes,
                ),
            }
        ).encode()
    )
    fields = {name: getattr(profile, name) for name in Profile.__dataclass_fields__}
    return _GrammarProfile(**fields)


def grammar_for(
    source: SchemaSource,
    opened: OpenedSchema,
    syntax: Syntax,
    *,
    limits: JsonSchemaLimits = DEFAULT_LIMITS,
    budget: ProofBudget = DEFAULT_BUDGET,
) -> Grammar:
    """The grammar of a parsed schema.

    Raises InvalidRequest for one that would be too large and for a regular expression of a schema that refers to itself,
    ConversionRefused for a schema under which nothing is valid.
    """
    form = compile_schema(source, opened, grammar_profile(), limits=limits, budget=budget)
    wire = json.loads(form.schema, parse_float=_Exact)
    writer = _Writer(wire)
    try:
        root = writer.schema(wire)
        text = written(Seq((_SPACE, root, _SPACE)), writer.rules, syntax)
    except RecursionError as error:
        raise InvalidRequest(
            "schema", "nests too deep, or has too long a tuple, for a grammar; make it flatter"
        ) from error
    return Grammar(syntax, text, form.losses, form.widened, form.narrowed)


class _Exact(str):
    """A number as it is spelled."""

    __slots__ = ()


def _text(text: str) -> Token:
    return Token(Text(text))


def _except() -> tuple[tuple[int, int], ...]:
    """What stands in a JSON string as it is."""
    return complement(normalize([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0xD800, 0xDFFF)]))


_SPACE: Node = Rule("ws")
_SPACES: Node = Many(Token(Many(Chars(((9, 10), (13, 13), (32, 32))), 1, _MOST_SPACE)), 0, 1)
_HEX = Chars(((48, 57), (65, 70), (97, 102)))
_LOW = Chars(((48, 57), (65, 67), (69, 70), (97, 99), (101, 102)))
_UNICODE = Alt(
    (Seq((_LOW, _HEX, _HEX, _HEX)), Seq((Chars(((68, 68), (100, 100))), Chars(((48, 55),)), _HEX, _HEX)))
)
_ESCAPE = Seq(
    (
        Text("\\"),
        Alt((Chars(tuple((ord(c), ord(c)) for c in sorted('"\\/bfnrt'))), Seq((Text("u"), _UNICODE)))),
    )
)
_CHAR = Alt((Chars(_except()), _ESCAPE))
_STRING = Token(Seq((Text('"'), Many(_CHAR, 0, None), Text('"'))))
_DIGITS = Chars(((48, 57),))
_INTEGER = Seq((Many(Text("-"), 0, 1), Alt((Text("0"), Seq((Chars(((49, 57),)), Many(_DIGITS, 0, None)))))))
_NUMBER = Seq(
    (
        _INTEGER,
        Many(Seq((Text("."), Many(_DIGITS, 1, None))), 0, 1),
        Many(
            Seq(
                (
                    Chars(((69, 69), (101, 101))),
                    Many(Chars(((43, 43), (45, 45))), 0, 1),
                    Many(_DIGITS, 1, None),
                )
            ),
            0,
            1,
        ),
    )
)
_COLON = Seq((_SPACE, _text(":"), _SPACE))
_COMMA = Seq((_SPACE, _text(","), _SPACE))
_SCALARS: Mapping[str, Node] = {
    "integer": Token(_INTEGER),
    "number": Token(_NUMBER),
    "boolean": Alt((_text("true"), _text("false"))),
    "null": _text("null"),
}


class _Writer:
    """Makes the rules of one schema, which is of the kind that `grammar_profile` lets pass."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._root = root
        self._named: dict[str, str] = {}
        self.rules: dict[str, Node] = {"ws": _SPACES}

    def _rule(self, node: Node | None = None) -> str:
        name = f"r{len(self.rules)}"
        self.rules[name] = node or NOTHING
        return name

    def schema(self, schema: Mapping[str, Any]) -> Node:
        """What the texts of valid values are."""
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        if "anyOf" in schema:
            return Alt(tuple(self.schema(branch) for branch in schema["anyOf"]))
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            return Alt(tuple(_text(_spelled(value)) for value in values))
        stated = schema.get("type")
        if stated is None:
            return self._anything()
        kinds = [stated] if isinstance(stated, str) else stated
        return Alt(tuple(self._of_type(kind, schema) for kind in kinds))

    def _reference(self, reference: str) -> Node:
        if reference not in self._named:
            self._named[reference] = self._rule()
            target = self._root if reference == "#" else self._definitions[reference.rpartition("/")[2]]
            self.rules[self._named[reference]] = self.schema(target)
        return Rule(self._named[reference])

    def _of_type(self, kind: str, schema: Mapping[str, Any]) -> Node:
        match kind:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
        return _SCALARS[kind]

    def _string(self, schema: Mapping[str, Any]) -> Node:
        if "pattern" in schema:
            found = pattern_node(schema["pattern"])
            if found is not None:
                return Token(Seq((Text('"'), found, Text('"'))))
        low, high = int(schema.get("minLength", 0)), schema.get("maxLength")
        return Token(Seq((Text('"'), repeated(_CHAR, low, None if high is None else int(high)), Text('"'))))

    def _anything(self) -> Node:
        if "" not in self._named:
            name = self._named[""] = self._rule()
            value = Rule(name)
            pair = Seq((_STRING, _COLON, value))
            self.rules[name] = Alt(
                (
                    _STRING,
                    *_SCALARS.values(),
                    Seq((_text("["), _SPACE, Many(_listed(value, 1, None), 0, 1), _SPACE, _text("]"))),
                    Seq((_text("{"), _SPACE, Many(_listed(pair, 1, None), 0, 1), _SPACE, _text("}"))),
                )
            )
        return Rule(self._named[""])

    def _array(self, schema: Mapping[str, Any]) -> Node:
        low, high = int(schema.get("minItems", 0)), schema.get("maxItems")
        high = None if high is None else int(high)
        first = [self.schema(s) for s in schema.get("prefixItems", ())]
        rest = schema.get("items")
        item: Node | None = Rule(
            self._rule(self.schema(rest) if isinstance(rest, dict) else self._anything())
        )
        if high is not None:
            first = first[:high]
            if high <= len(first):
                item = None
        inside = self._items(first, item, low, high)
        return Seq((_text("["), _SPACE, inside, _SPACE, _text("]")))

    def _items(self, first: Sequence[Node], item: Node | None, low: int, high: int | None) -> Node:
        """Items of which the first ones have their own schemas, from the last one to the first."""
        if not first:
            if item is None or high == 0:
                return NOTHING
            if low > 0:
                return _listed(item, low, high)
            return Many(_listed(item, 1, high), 0, 1)
        more: Node = NOTHING
        if item is not None:
            left = None if high is None else high - len(first)
            more = repeated(Seq((_COMMA, item)), max(0, low - len(first)), left)
        for number in range(len(first) - 1, -1, -1):
            here: Node = Seq((first[number], more) if number == 0 else (_COMMA, first[number], more))
            more = here if number < low else Many(here, 0, 1)
        return more

    def _object(self, schema: Mapping[str, Any]) -> Node:
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        members: list[tuple[Node, bool]] = []
        for name, value in properties.items():
            key = _text(json.dumps(name, ensure_ascii=False))
            members.append((Rule(self._rule(Seq((key, _COLON, self.schema(value))))), name in required))
        extra = schema.get("additionalProperties", True)
        other: Node | None = None
        if extra is not False:
            if len(properties) > _MOST_NAMES or max(map(len, properties), default=0) > _MOST_NAME:
                raise InvalidRequest(
                    "schema",
                    f"an object with more than {_MOST_NAMES} declared properties, or with a name of more than {_MOST_NAME} characters, allows others, which a grammar cannot tell from "
                    "them; close it with additionalProperties false",
                )
            value = self.schema(extra) if isinstance(extra, dict) and extra else self._anything()
            other = Rule(self._rule(Seq((_other_names(list(properties)), _COLON, value))))
        inside = self._members(members, other)
        return Seq((_text("{"), _SPACE, inside, _SPACE, _text("}")))

    def _members(self, members: list[tuple[Node, bool]], other: Node | None) -> Node:
        """Members in their order: which is the first decides where commas stand."""
        after: list[Node] = [Many(Seq((_COMMA, other)), 0, None) if other is not None else NOTHING]
        for node, required in reversed(members):
            with_comma = Seq((_COMMA, node))
            after.append(
                Rule(self._rule(Seq((with_comma if required else Many(with_comma, 0, 1), after[-1]))))
            )
        after.reverse()  # after[n]: all from member n, each with a comma in front
        starts: list[Node] = []
        for number, (node, required) in enumerate(members):
            starts.append(Seq((node, after[number + 1])))
            if required:
                return Alt(tuple(starts))
        if other is not None:
            starts.append(Seq((other, after[-1])))
        return Many(Alt(tuple(starts)), 0, 1) if starts else NOTHING


def _listed(item: Node, low: int, high: int | None) -> Node:
    return Seq((item, repeated(Seq((_COMMA, item)), low - 1, None if high is None else high - 1)))


def _spelled(value: Any) -> str:
    return str(value) if isinstance(value, _Exact) else dump(value, sort=False)


def _other_names(names: list[str]) -> Node:
    """A key that is none of these, with the escapes that it needs."""
    trie: dict[str, Any] = {}
    for name in names:
        at = trie
        for char in name:
            at = at.setdefault(char, {})
        at[""] = True
    return Token(Seq((Text('"'), _not_in(trie), Text('"'))))


def _not_in(trie: dict[str, Any]) -> Node:
    found = [_other(trie)] if _children(trie) else []
    for char in _children(trie):
        row, at = [char], trie[char]
        while len(_children(at)) == 1 and len(row) < _MOST_ROW:
            found.append(_after(row, at, _other(at)))
            row.append(_children(at)[0])
            at = at[row[-1]]
        found.append(Seq((*map(_json_char, row), _not_in(at))))
    if not found:
        return _other(trie) if trie else Many(_json_chars(complement(())), 0, None)
    return Alt(tuple(found)) if "" in trie else Many(Alt(tuple(found)), 0, 1)


def _after(row: Sequence[str], at: dict[str, Any], other: Node) -> Node:
    """What begins with these characters and is no longer one of the names; they alone are none unless `at` says so."""
    return Seq((*map(_json_char, row), other if "" in at else Many(other, 0, 1)))


def _other(at: dict[str, Any]) -> Node:
    """A character with which none of the names goes on, and what follows."""
    others = complement(normalize([(ord(c), ord(c)) for c in _children(at)]))
    return Seq((_json_chars(others), Many(_json_chars(complement(())), 0, None)))


def _children(at: dict[str, Any]) -> list[str]:
    return [char for char in at if char]


def _json_char(char: str) -> Node:
    return _json_chars(((ord(char), ord(char)),))


@functools.lru_cache(maxsize=512)
def pattern_node(pattern: str) -> Node | None:
    """The texts in which a pattern is found, as they stand in a JSON string; None for what cannot be written as a grammar."""
    try:
        tree = parse_pattern(pattern)
        choices = tree.parts if isinstance(tree, Choice) else (tree,)
        return Alt(tuple(map(_found, choices)))
    except (Unsupported, RecursionError):
        return None


def _found(tree: Tree) -> Node:
    parts = list(tree.parts) if isinstance(tree, Row) else [tree]
    anything = Many(_json_chars(complement(())), 0, None)
    begins = bool(parts) and parts[0] == Symbols(((BEGIN, BEGIN),))
    ends = len(parts) > begins and parts[-1] == Symbols(((END, END),))
    body = parts[begins : len(parts) - ends]
    return Seq((*(() if begins else (anything,)), *map(_in_string, body), *(() if ends else (anything,))))


def _in_string(tree: Tree) -> Node:
    match tree:
        case Symbols(charset):
            if any(high >= BEGIN for _, high in charset):
                raise Unsupported("an anchor inside of a pattern")
            return _json_chars(charset)
        case Row(parts):
            return Seq(tuple(map(_in_string, parts)))
        case Choice(parts):
            return Alt(tuple(map(_in_string, parts)))
        case Repeat(part, low, high):
            if max(low, high or 0) > _MOST_REPEATS:
                raise Unsupported("a long repetition")
            return repeated(_in_string(part), low, high)
    raise Unsupported("look-ahead or a word boundary")


_SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 0x22: '"', 0x5C: "\\"}


def _each(characters: str) -> Chars:
    return Chars(tuple((ord(c), ord(c)) for c in sorted(characters)))


_CONTROL = Alt((Seq((Text("0"), _each("01234567bef"))), Seq((Text("1"), _each("0123456789abcdef")))))
_ESCAPED = Seq((Text("\\"), Alt((_each('"\\bfnrt'), Seq((Text("u00"), _CONTROL))))))
"""Whatever must be escaped, as _SHORT says or as \\u00XX."""
_SPECIAL = (*range(0x20), 0x22, 0x5C)


def _json_chars(charset: tuple[tuple[int, int], ...]) -> Node:
    """One character of a set as it stands in a JSON string: the short escapes, or \\u00XX, where it must be escaped."""
    plain: list[tuple[int, int]] = []
    escaped: list[Node] = []
    for low, high in charset:
        for start, end in _except():
            if max(low, start) <= min(high, end):
                plain.append((max(low, start), min(high, end)))
        escaped.extend(Text("\\" + (_SHORT.get(c) or f"u{c:04x}")) for c in _SPECIAL if low <= c <= high)
    if len(escaped) == len(_SPECIAL):
        escaped = [_ESCAPED]
    parts = [Chars(tuple(plain))] if plain else []
    if not parts and not escaped:
        raise Unsupported("a set without characters")
    return Alt((*parts, *escaped)) if len(parts) + len(escaped) > 1 else (*parts, *escaped)[0]
