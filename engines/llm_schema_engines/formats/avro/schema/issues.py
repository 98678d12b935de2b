"""The rules that a schema text must keep, and the collector of what breaks them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InvalidSchema, SchemaIssue
from . import text

At = tuple["At", str | int] | None
"""A place in the schema text as a linked path: cheap to extend, rendered only when there is something to report."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`fatal`: without it there is no usable type, so that even a stored schema is refused."""

    id: str
    sentence: str
    fatal: bool = False


SYNTAX = Rule("AVRO_SYNTAX", "A schema is strict JSON text in UTF-8.", fatal=True)
KEY_REPEATED = Rule("AVRO_KEY_REPEATED", "A JSON object has each key once.")
LIMIT = Rule("AVRO_LIMIT", "A schema stays within the limits of the registry.", fatal=True)
TYPE_INVALID = Rule(
    "AVRO_TYPE_INVALID", "A type is a name, an object with a type name, or an array.", fatal=True
)
TYPE_NESTED = Rule("AVRO_TYPE_NESTED", "The type of a type object is a name, not another type.")
TYPE_UNKNOWN = Rule("AVRO_TYPE_UNKNOWN", "A name is defined before it is used.", fatal=True)
NAME_SCOPE = Rule("AVRO_NAME_SCOPE", "A name without dots is looked up in the enclosing namespace.")
NAME_MISSING = Rule("AVRO_NAME_MISSING", "A record, enum, fixed or field has a name.", fatal=True)
NAME_INVALID = Rule("AVRO_NAME_INVALID", "A name starts with [A-Za-z_] and goes on with [A-Za-z0-9_].")
NAMESPACE_INVALID = Rule("AVRO_NAMESPACE_INVALID", "A namespace is empty or names joined by dots.")
NAME_RESERVED = Rule("AVRO_NAME_RESERVED", "The names of primitive types cannot be defined.")
NAME_REPEATED = Rule("AVRO_NAME_REPEATED", "A full name is defined once.")
ALIAS_INVALID = Rule("AVRO_ALIAS_INVALID", "Aliases are an array of names.")
DOC_INVALID = Rule("AVRO_DOC_INVALID", "A doc is a string.")
FIELDS_INVALID = Rule("AVRO_FIELDS_INVALID", "A record has an array of fields.", fatal=True)
FIELD_INVALID = Rule("AVRO_FIELD_INVALID", "A field is an object with a name and a type.", fatal=True)
FIELD_REPEATED = Rule("AVRO_FIELD_REPEATED", "A record has each field name once.")
ORDER_INVALID = Rule("AVRO_ORDER_INVALID", "An order is ascending, descending or ignore.")
DEFAULT_INVALID = Rule("AVRO_DEFAULT_INVALID", "The default of a field is a value of its type.")
SYMBOLS_INVALID = Rule("AVRO_SYMBOLS_INVALID", "An enum has an array of symbols.", fatal=True)
SYMBOL_INVALID = Rule("AVRO_SYMBOL_INVALID", "A symbol is a name.")
SYMBOL_REPEATED = Rule("AVRO_SYMBOL_REPEATED", "An enum has each symbol once.")
ENUM_DEFAULT_INVALID = Rule("AVRO_ENUM_DEFAULT_INVALID", "The default of an enum is one of its symbols.")
SIZE_INVALID = Rule("AVRO_SIZE_INVALID", "A fixed has a size, an integer of at least 0.", fatal=True)
ITEMS_MISSING = Rule("AVRO_ITEMS_MISSING", "An array says what its items are.", fatal=True)
VALUES_MISSING = Rule("AVRO_VALUES_MISSING", "A map says what its values are.", fatal=True)
UNION_NESTED = Rule("AVRO_UNION_NESTED", "A union does not directly contain a union.")
UNION_REPEATED = Rule("AVRO_UNION_REPEATED", "A union has each unnamed type and each full name once.")
REFERENCE_INVALID = Rule("AVRO_REFERENCE_INVALID", "A referenced schema can be read.", fatal=True)
REFERENCE_CONFLICT = Rule("AVRO_REFERENCE_CONFLICT", "References agree on the types that they define.")

LOGICAL_IGNORED = Rule("AVRO_LOGICAL_IGNORED", "A logical type that does not fit is ignored.")
REFERENCE_UNUSED = Rule("AVRO_REFERENCE_UNUSED", "A reference is used.")
REFERENCE_NAME = Rule(
    "AVRO_REFERENCE_NAME", "The name of a reference is the full name of a type that it defines."
)
NO_FINITE_VALUE = Rule("AVRO_NO_FINITE_VALUE", "A record has values of finite size.")
DEFAULT_EXTRA = Rule("AVRO_DEFAULT_EXTRA", "A default has only members that its record declares.")

RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))


class Stop(Exception):
    """Enough issues; parsing ends here."""


class Issues:
    """What is wrong with one schema text. When not strict, only fatal rules count and the rest are warnings."""

    def __init__(self, limit: int, *, strict: bool) -> None:
        self._limit = limit
        self._strict = strict
        self._errors: list[tuple[Rule, text.Path, str, tuple[int, int]]] = []
        self._warnings: list[tuple[Rule, text.Path, str, tuple[int, int]]] = []

    def add(self, rule: Rule, at: At, message: str, place: tuple[int, int] = (0, 0)) -> None:
        """Note a broken rule; raises Stop at the limit."""
        if not (rule.fatal or self._strict):
            self.warn(rule, at, message, place)
            return
        self._errors.append((rule, path(at), message, place))
        if len(self._errors) >= self._limit:
            raise Stop

    def warn(self, rule: Rule, at: At, message: str, place: tuple[int, int] = (0, 0)) -> None:
        """Note something odd that the specification allows (or that is let pass); past the limit it is dropped."""
        if len(self._warnings) < self._limit:
            self._warnings.append((rule, path(at), message, place))

    def close(self, content: str) -> tuple[SchemaIssue, ...]:
        """The warnings, with their places; raises InvalidSchema when there are errors."""
        entries = self._errors or self._warnings
        if not entries:
            return ()
        places = text.locate(content, {at for _, at, _, place in entries if not place[0]})
        issues = tuple(
            SchemaIssue(
                rule.id,
                text.clip(message),
                text.pointer(at),
                *(place if place[0] else places.get(at, (0, 0))),
            )
            for rule, at, message, place in entries
        )
        if self._errors:
            raise InvalidSchema(issues)
        return issues


def path(at: At) -> text.Path:
    """The linked path as a tuple, root first."""
    steps: list[str | int] = []
    while at is not None:
        at, step = at
        steps.append(step)
    return tuple(reversed(steps))
