"""Checks regular expressions: a schema may use those that a linear-time engine can run. Pure."""

from __future__ import annotations

import functools
import math
import re

import jsonschema_rs

from ...errors import SchemaIssue
from .limits import JsonSchemaLimits
from .prover.regex.charsets import BEGIN
from .prover.regex.syntax import (
    Choice,
    LookAhead,
    Repeat,
    Sequence,
    Symbols,
    Tree,
    Unsupported,
    has_boundary,
    parse_pattern,
)
from .regex_engine import OPTIONS

_TOKENS = re.compile(
    r"\\[pPu]\{[^{}]*\}|\\.?|\(\?P<|\(\?[a-zA-Z-]+[:)]|(?:[*+?]|\{\d+(?:,\d*)?\})+|.", re.DOTALL
)
"""Splits a pattern into escapes, groups with a prefix, doubled operators and single characters."""
_QUANTIFIER = re.compile(r"(?:[*+?]|\{[^}]*\})\??")
_ESCAPES = {
    **dict.fromkeys("<>", r"\< and \> are word boundaries here; ECMA-262 reads < and >"),
    **dict.fromkeys("AzZ", r"\A, \z and \Z are anchors here; ECMA-262 reads letters"),
    **dict.fromkeys(
        "bB", r"\b and \B take letters and digits beyond ASCII for parts of words here; ECMA-262 does not"
    ),
}
_GROUP = "an inline flag group is not ECMA-262"
_DOUBLED = "a quantifier after a quantifier is not ECMA-262; write (?:...) around what it repeats"
_BRACKET = (
    "a ] that comes first in brackets is a member of them here; ECMA-262 ends the brackets with it; write \\]"
)
_HEXADECIMAL = r"\x{...} is a character here; ECMA-262 reads a letter x and a count; write \u{...}"
_PROPERTY = r"\pL without braces is a property here; ECMA-262 reads letters; write \p{L}"
_NAMED = "(?P<name>...) is not ECMA-262; write (?<name>...)"
POSSESSIVE = "a + after a quantifier is not ECMA-262 (elsewhere it forbids backtracking); take it out, or write (?:...)+"


@functools.lru_cache(maxsize=4096)
def deviations(pattern: str) -> tuple[tuple[str, ...], bool]:
    """What the engine reads otherwise than ECMA-262 does, each once; and whether a quantifier is quantified with `+`, which
    ECMA-262 refuses."""
    found: dict[str, None] = {}
    possessive = in_class = False
    member = -1
    for match in _TOKENS.finditer(pattern):
        token, after = match.group(), pattern[match.end() : match.end() + 2]
        if token[0] == "\\":
            if not in_class and token[1:] in _ESCAPES:
                found[_ESCAPES[token[1:]]] = None
            elif token == "\\x" and after[:1] == "{":
                found[_HEXADECIMAL] = None
            elif token in ("\\p", "\\P"):
                found[_PROPERTY] = None
        elif in_class:
            in_class = token != "]" or match.start() == member
        elif token == "[":
            in_class = True
            if "]" in (after[:1], after[after[:1] == "^" :][:1]):
                member = match.end() + (after[0] == "^")
                found[_BRACKET] = None
        elif token == "(?P<":
            found[_NAMED] = None
        elif token.startswith("(?") and token != "(?:":
            found[_GROUP] = None
        elif len(token) > 1 and token[0] in "*+?{" and not _QUANTIFIER.fullmatch(token):
            if "+" in token[1:]:
                possessive = True
            else:
                found[_DOUBLED] = None
    return tuple(found), possessive


def check_pattern(pattern: str, pointer: str, limits: JsonSchemaLimits) -> SchemaIssue | None:
    """Why a pattern is refused, or None."""
    if len(pattern) > limits.pattern_length:
        return SchemaIssue(
            "json/pattern-length",
            f"the regular expression is {len(pattern)} characters long; the limit is {limits.pattern_length} (setting json_schema.pattern_length)",
            pointer,
        )
    problem = POSSESSIVE if deviations(pattern)[1] else compile_problem(pattern)
    return None if problem is None else SchemaIssue("json/pattern", problem, pointer)


def lint_pattern(pattern: str, pointer: str) -> list[SchemaIssue]:
    """Warnings: where the regex engine and ECMA-262 interpret the pattern differently."""
    return [SchemaIssue("json/pattern-portability", text, pointer) for text in deviations(pattern)[0]]


@functools.lru_cache(maxsize=4096)
def weight(pattern: str) -> int:
    """The estimated number of states of the compiled pattern: repetitions expanded, characters beyond ASCII count more.

    A thousand states take about half a millisecond to compile, and some hundred kilobytes.
    """
    try:
        return _weight(_measurable(pattern))
    except Unsupported:
        counts = [int(max(match.groups("0"), key=int)) for match in _COUNT.finditer(pattern)]
        return len(pattern) * math.prod(max(count, 1) for count in counts)


@functools.lru_cache(maxsize=4096)
def active_states(pattern: str) -> int:
    """How many states of the compiled pattern can be active at once, at most: each byte of a text costs in proportion to it.

    In general all of them. A pattern that is anchored at its beginning has one state as long as its parts have a fixed
    length, and two in the first repetition of a character after them.
    """
    try:
        tree = _measurable(pattern)
    except Unsupported:
        return weight(pattern)
    if not isinstance(tree, Sequence) or not tree.parts or tree.parts[0] != _ANCHOR:
        return _weight(tree)
    active, parts = 1, list(tree.parts[1:])
    while parts:
        part = parts.pop(0)
        repeated = isinstance(part, Repeat) and isinstance(part.part, Symbols)
        if not isinstance(part, Symbols) and not repeated:
            parts.insert(0, part)
            break
        active = max(active, 2 * _weight(part.part if isinstance(part, Repeat) else part))
        if isinstance(part, Repeat) and part.low != part.high:
            break
    return active + sum(map(_weight, parts))


_ANCHOR = Symbols(((BEGIN, BEGIN),))
_COUNT = re.compile(r"\{([0-9]{1,6})(?:,([0-9]{1,6}))?,?\}")
_BEYOND_ASCII = 8


def _measurable(pattern: str) -> Tree:
    """The tree of a pattern whose states can be counted; raises Unsupported. At a word boundary the engine leaves its quick way
    with a text beyond ASCII."""
    tree = parse_pattern(pattern)
    if has_boundary(tree):
        raise Unsupported("a word boundary")
    return tree


def _weight(tree: Tree) -> int:
    if isinstance(tree, Symbols):
        return 1 if not tree.charset or tree.charset[-1][1] < 128 else _BEYOND_ASCII
    if isinstance(tree, Repeat):
        return _weight(tree.part) * max(tree.low + 1, tree.high or 0)
    if isinstance(tree, LookAhead):
        return _weight(tree.part)
    assert isinstance(tree, Sequence | Choice)  # _measurable has no boundaries
    return sum(map(_weight, tree.parts))


@functools.lru_cache(maxsize=4096)
def compile_problem(pattern: str) -> str | None:
    """What keeps the linear-time engine from compiling the pattern, or None."""
    if _compiles(pattern, OPTIONS):
        return None
    if not _compiles(pattern, jsonschema_rs.FancyRegexOptions()):
        return f"{_short(pattern)} is not a regular expression, or compiles to more than the engine allows"
    if re.search(r"\(\?(?:[=!]|<[=!])", pattern):
        what = "look-around"
    elif re.search(r"\\(?:[1-9]|k<)", pattern):
        what = "a back-reference"
    else:
        what = "a feature without a linear-time algorithm"
    return f"{_short(pattern)} uses {what}, whose matching time is not bounded; rewrite it without"


def _compiles(pattern: str, options: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True, pattern_options=options)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _short(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else pattern[:77] + "...")
