"""The rules of a schema text, and the collector of issues. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InvalidSchema, SchemaIssue
from . import text

LinkedPath = tuple["LinkedPath", str | int] | None
"""A place in the schema text as a linked list, last step first: cheap to extend, rendered only for an issue."""


@dataclass(frozen=True, slots=True)
class SchemaTextRule:
    """A rule of the schema text. `fatal`: breaking it leaves no usable type, so that stored schemas are refused too."""

    id: str
    sentence: str
    fatal: bool = False


SYNTAX = SchemaTextRule("AVRO_SYNTAX", "A schema is strict JSON text in UTF-8.", fatal=True)
KEY_REPEATED = SchemaTextRule("AVRO_KEY_REPEATED", "A JSON object has each key once.")
LIMIT = SchemaTextRule("AVRO_LIMIT", "A schema stays within the limits of the registry.", fatal=True)
TYPE_INVALID = SchemaTextRule(
    "AVRO_TYPE_INVALID", "A type is a name, an object with a type name, or an array.", fatal=True
)
TYPE_NESTED = SchemaTextRule("AVRO_TYPE_NESTED", "The type of a type object is a name, not another type.")
TYPE_UNKNOWN = SchemaTextRule("AVRO_TYPE_UNKNOWN", "A name is defined before it is used.", fatal=True)
NAME_SCOPE = SchemaTextRule("AVRO_NAME_SCOPE", "A name without dots is looked up in the enclosing namespace.")
NAME_MISSING = SchemaTextRule("AVRO_NAME_MISSING", "A record, enum, fixed or field has a name.", fatal=True)
NAME_INVALID = SchemaTextRule(
    "AVRO_NAME_INVALID", "A name starts with [A-Za-z_] and goes on with [A-Za-z0-9_]."
)
NAMESPACE_INVALID = SchemaTextRule("AVRO_NAMESPACE_INVALID", "A namespace is empty or names joined by dots.")
NAME_RESERVED = SchemaTextRule("AVRO_NAME_RESERVED", "The names of primitive types cannot be defined.")
NAME_REPEATED = SchemaTextRule("AVRO_NAME_REPEATED", "A full name is defined once.")
ALIAS_INVALID = SchemaTextRule("AVRO_ALIAS_INVALID", "Aliases are an array of strings.")
DOC_INVALID = SchemaTextRule("AVRO_DOC_INVALID", "A doc is a string.")
FIELDS_INVALID = SchemaTextRule("AVRO_FIELDS_INVALID", "A record has an array of fields.", fatal=True)
FIELD_INVALID = SchemaTextRule(
    "AVRO_FIELD_INVALID", "A field is an object with a name and a type.", fatal=True
)
FIELD_REPEATED = SchemaTextRule("AVRO_FIELD_REPEATED", "A record has each field name once.")
ORDER_INVALID = SchemaTextRule("AVRO_ORDER_INVALID", "An order is ascending, descending or ignore.")
DEFAULT_INVALID = SchemaTextRule("AVRO_DEFAULT_INVALID", "The default of a field is a value of its type.")
SYMBOLS_INVALID = SchemaTextRule("AVRO_SYMBOLS_INVALID", "An enum has an array of symbols.", fatal=True)
SYMBOL_INVALID = SchemaTextRule("AVRO_SYMBOL_INVALID", "A symbol is a name.")
SYMBOL_REPEATED = SchemaTextRule("AVRO_SYMBOL_REPEATED", "An enum has each symbol once.")
ENUM_DEFAULT_INVALID = SchemaTextRule(
    "AVRO_ENUM_DEFAULT_INVALID", "The default of an enum is one of its symbols."
)
SIZE_INVALID = SchemaTextRule(
    "AVRO_SIZE_INVALID", "A fixed has a size, an integer of at least 0.", fatal=True
)
ITEMS_MISSING = SchemaTextRule("AVRO_ITEMS_MISSING", "An array says what its items are.", fatal=True)
VALUES_MISSING = SchemaTextRule("AVRO_VALUES_MISSING", "A map says what its values are.", fatal=True)
UNION_NESTED = SchemaTextRule("AVRO_UNION_NESTED", "A union does not directly contain a union.")
UNION_REPEATED = SchemaTextRule(
    "AVRO_UNION_REPEATED", "A union has each unnamed type and each full name once."
)
REFERENCE_INVALID = SchemaTextRule("AVRO_REFERENCE_INVALID", "A referenced schema can be read.", fatal=True)
REFERENCE_CONFLICT = SchemaTextRule(
    "AVRO_REFERENCE_CONFLICT", "References agree on the types that they define."
)

LOGICAL_IGNORED = SchemaTextRule("AVRO_LOGICAL_IGNORED", "A logical type that does not fit is ignored.")
REFERENCE_UNUSED = SchemaTextRule("AVRO_REFERENCE_UNUSED", "A reference is used.")
REFERENCE_NAME = SchemaTextRule(
    "AVRO_REFERENCE_NAME", "The name of a reference is the full name of a type that it defines."
)
ALIAS_NO_NAME = SchemaTextRule("AVRO_ALIAS_NO_NAME", "An alias could be a name.")
NO_FINITE_VALUE = SchemaTextRule("AVRO_NO_FINITE_VALUE", "A record has values of finite size.")
DEFAULT_EXTRA = SchemaTextRule("AVRO_DEFAULT_EXTRA", "A default has only members that its record declares.")

RULES = tuple(value for value in list(globals().values()) if isinstance(value, SchemaTextRule))


class IssueLimitReached(Exception):
    """The limit of issues is reached; parsing ends."""


class Issues:
    """Collects the issues of one schema text. When not strict, breaking a rule that is not fatal is a warning."""

    def __init__(self, limit: int, *, strict: bool) -> None:
        self._limit = limit
        self._strict = strict
        self._errors: list[tuple[SchemaTextRule, text.Path, str, tuple[int, int]]] = []
        self._warnings: list[tuple[SchemaTextRule, text.Path, str, tuple[int, int]]] = []

    def add(
        self, rule: SchemaTextRule, at: LinkedPath, message: str, place: tuple[int, int] = (0, 0)
    ) -> None:
        """Record a broken rule; raises IssueLimitReached at the limit."""
        if not (rule.fatal or self._strict):
            self.warn(rule, at, message, place)
            return
        self._errors.append((rule, path(at), message, place))
        if len(self._errors) >= self._limit:
            raise IssueLimitReached

    def warn(
        self, rule: SchemaTextRule, at: LinkedPath, message: str, place: tuple[int, int] = (0, 0)
    ) -> None:
        """Record a warning: odd, but allowed by the specification or by lenient parsing. Dropped past the limit."""
        if len(self._warnings) < self._limit:
            self._warnings.append((rule, path(at), message, place))

    def close(self, content: str) -> tuple[SchemaIssue, ...]:
        """The warnings with line and column; raises InvalidSchema when there are errors."""
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


def path(at: LinkedPath) -> text.Path:
    """The linked path as a tuple, root first."""
    steps: list[str | int] = []
    while at is not None:
        at, step = at
        steps.append(step)
    return tuple(reversed(steps))
