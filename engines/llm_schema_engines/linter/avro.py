"""The lint rules of Avro: each looks at one definition or field, as it is written. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..formats.json_schema.pointers import join_pointer, to_pointer
from ..model.compatibility import Severity
from ..model.fast_init import fast_init
from ..model.schema import SchemaType
from .rule import Fault, LintRule

_Way = Any
"""The way from the root to a part, the last token first: (way, token), None at the root. Any: mypy knows no recursive tuples."""
_NAMED = frozenset({"record", "error", "enum", "fixed"})


@fast_init
@dataclass(frozen=True, slots=True)
class Part:
    """A named type, or a field of a record (`is_field`). `namespace` is the one that encloses it; `way`: what leads there."""

    way: _Way
    node: Mapping[str, Any]
    namespace: str
    is_field: bool = False

    @property
    def pointer(self) -> str:
        tokens: list[str | int] = []
        way = self.way
        while way is not None:
            way, token = way
            tokens.append(token)
        return to_pointer(reversed(tokens))

    @property
    def full_name(self) -> str:
        name: str = self.node["name"]
        if "." in name:
            return name
        namespace = self.node.get("namespace", self.namespace)
        return f"{namespace}.{name}" if namespace else name


def parts(content: bytes) -> Iterator[Part]:
    """The named types and the fields of a schema that has been parsed, in document order."""
    stack: list[tuple[Any, _Way, str]] = [(json.loads(content), None, "")]
    while stack:
        node, way, namespace = stack.pop()
        if isinstance(node, list):
            stack += reversed([(item, (way, n), namespace) for n, item in enumerate(node) if _nests(item)])
        if not isinstance(node, dict):
            continue
        if node.get("type") in _NAMED_TYPES:
            part = Part(way, node, namespace)
            yield part
            namespace = part.full_name.rpartition(".")[0]
        # Where the type has no use for such a key, it is an attribute with any value.
        kind = node.get("type")
        key = "type" if _nests(kind) else _INSIDE.get(str(kind), "")
        inside: list[tuple[Any, _Way, str]] = [(node[key], (way, key), namespace)] if key else []
        for number, field in enumerate(node["fields"] if kind in _RECORDS else ()):
            place = ((way, "fields"), number)
            yield Part(place, field, namespace, True)
            if _nests(field["type"]):
                inside.append((field["type"], (place, "type"), namespace))
        stack += reversed(inside)


def _nests(node: Any) -> bool:
    return isinstance(node, list | dict)


def rules_for(part: Part, chosen: frozenset[str]) -> tuple[LintRule[Part], ...]:
    """Those of the chosen rules that may find something at a part: all others find nothing."""
    node = part.node
    return _rules(
        part.is_field,
        "aliases" in node,
        "default" in node,
        isinstance(node["type"], list),
        "doc" in node,
        chosen,
    )


@functools.lru_cache(maxsize=1024)
def _rules(
    is_field: bool,
    has_aliases: bool,
    has_default: bool,
    is_union: bool,
    has_doc: bool,
    chosen: frozenset[str],
) -> tuple[LintRule[Part], ...]:
    concerned = {
        "avro/missing-namespace": not is_field,
        "avro/nullable-without-default": is_field and is_union and not has_default,
        "avro/alias-of-itself": has_aliases,
        "avro/enum-without-default": not is_field and not has_default,
        "avro/field-without-default": is_field and not has_default,
        "avro/missing-doc": True,
    }
    return tuple(rule for rule in RULES if rule.id in chosen and concerned[rule.id])


class _Names:
    """Membership of what may be no string."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and value in self._names


_INSIDE = {"array": "items", "map": "values"}
_NAMED_TYPES, _RECORDS = _Names(_NAMED), _Names({"record", "error"})


def missing_namespace(part: Part) -> Iterator[Fault]:
    if not part.is_field and "." not in part.full_name:
        yield Fault(
            part.pointer, f"{part.node['name']!r} has no namespace, so that it may collide with any other"
        )


def nullable_without_default(part: Part) -> Iterator[Fault]:
    if (
        part.is_field
        and "default" not in part.node
        and isinstance(part.node["type"], list)
        and "null" in part.node["type"]
    ):
        first = part.node["type"][0] == "null"
        way = 'add "default": null' if first else 'put "null" first and add "default": null'
        yield Fault(part.pointer, f"the field {part.node['name']!r} may be null and has no default; {way}")


def alias_of_itself(part: Part) -> Iterator[Fault]:
    own = part.node["name"] if part.is_field else part.full_name
    for number, alias in enumerate(part.node.get("aliases", ())):
        full = alias if part.is_field or "." in alias else f"{own.rpartition('.')[0]}.{alias}".lstrip(".")
        if full == own:
            yield Fault(
                join_pointer(part.pointer, "aliases", number), f"the alias {alias!r} is the name itself"
            )


def enum_without_default(part: Part) -> Iterator[Fault]:
    if part.node.get("type") == "enum" and not part.is_field and "default" not in part.node:
        yield Fault(
            part.pointer,
            f"the enum {part.full_name!r} has no default for symbols that a reader does not know",
        )


def field_without_default(part: Part) -> Iterator[Fault]:
    if part.is_field and "default" not in part.node:
        yield Fault(
            part.pointer,
            f"the field {part.node['name']!r} has no default: data written without it cannot be read",
        )


def missing_doc(part: Part) -> Iterator[Fault]:
    if not part.node.get("doc"):
        yield Fault(
            part.pointer, f"{'the field' if part.is_field else 'the type'} {part.node['name']!r} has no doc"
        )


def _rule(
    severity: Severity, sentence: str, hint: str, check: Any, *, by_default: bool = True
) -> LintRule[Part]:
    name = "avro/" + check.__name__.replace("_", "-")
    return LintRule(name, SchemaType.AVRO, severity, sentence, hint, check, by_default)


WARNING, INFO = Severity.WARNING, Severity.INFO
RULES = (
    _rule(WARNING, "A named type has a namespace.", 'Add "namespace", such as "com.example.orders".', missing_namespace),
    _rule(WARNING, "A field that may be null has a default.", 'Put "null" first in the union and add "default": null; then the field can be added and left out compatibly.', nullable_without_default),
    _rule(WARNING, "An alias is another name.", "Take it out.", alias_of_itself),
    _rule(INFO, "An enum has a default.", 'Add "default" with a symbol that stands for all others; symbols can then be added compatibly.', enum_without_default, by_default=False),
    _rule(INFO, "A field has a default.", 'Add "default"; the field can then be added and removed compatibly.', field_without_default, by_default=False),
    _rule(INFO, "Types and fields say what they are for.", 'Add "doc".', missing_doc, by_default=False),
)  # fmt: skip
