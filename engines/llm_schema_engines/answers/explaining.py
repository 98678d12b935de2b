"""Says why a value, a name or a container cannot be part of a valid document. Pure; asked once, when a document is dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from ..formats.json_schema.canonical import dump
from ..formats.json_schema.data_issues import to_issue
from ..formats.json_schema.dialects import VALIDATORS
from ..formats.json_schema.pointers import join_pointer
from ..formats.json_schema.regex_engine import OPTIONS
from ..formats.json_schema.rewriting import plain
from .nodes import KIND_NAMES, STRING, Node, kind_of

if TYPE_CHECKING:
    from .schema import StreamingSchema
    from .states import State
    from .streaming import Frame

_SHOWN = 20
"""Most values or names in a list of what may come."""
_TEXT = 200


@dataclass(frozen=True, slots=True)
class Reason:
    """One keyword that fails, in the words of StreamError."""

    keyword: str
    message: str
    expected: str = ""
    allowed_next: tuple[str, ...] = ()
    schema_path: str = ""


def explain_value(
    state: State, own: int, value: Any, *, complete: bool, schema: StreamingSchema
) -> list[Reason]:
    """Why a value fails the nodes `own`. complete: it is the whole value, not its beginning (of containers: `[` or `{`)."""
    kind = kind_of(value)
    found: list[Reason] = []
    for _, node in _nodes(state, own):
        found.extend(_of_node(node, kind, value, complete, schema))
    return found or _of_formulas(state, own, "the value") or [Reason("false", "nothing is allowed here")]


def _of_node(node: Node, kind: int, value: Any, complete: bool, schema: StreamingSchema) -> Iterator[Reason]:
    held = node.schema
    if node.place.schema is False:
        yield _reason(node, "", "false", "nothing is allowed here")
        return
    if kind not in node.kinds:
        types = held.get("type")
        names = [types] if isinstance(types, str) else list(types or ())
        if (
            names
            and KIND_NAMES[kind] not in names
            and not (KIND_NAMES[kind] == "number" and "integer" in names)
        ):
            expected = " or ".join(names)
            message = f"a value of type {KIND_NAMES[kind]} is not of type {expected}"
            yield _reason(node, "type", "type", message, expected, tuple(names))
            return
        yield from _of_values(node, f"a value of type {KIND_NAMES[kind]}", "")
        return
    if not complete:
        if kind == STRING:
            if node.max_length is not None and len(value) > node.max_length:
                message = f"the string is longer than {node.max_length} characters"
                yield _reason(
                    node, "maxLength", "maxLength", message, f"at most {node.max_length} characters", ('"',)
                )
            else:
                yield from _of_values(node, _json(value), value)
        elif node.no_negative:
            yield _reason(
                node, "minimum", "minimum", "no number with a minus sign is allowed", "a greater number"
            )
        return
    for keyword in held:
        if keyword in ("enum", "const", "type") or keyword in _SCALAR_KEYWORDS:
            yield from _judged(node, keyword, value, schema)


_SCALAR_KEYWORDS = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentEncoding",
        "contentMediaType",
    }
)


def _judged(node: Node, keyword: str, value: Any, schema: StreamingSchema) -> Iterator[Reason]:
    """The ordinary validator's error for one keyword."""
    written = node.place.schema
    keywords: Mapping[str, Any] = {keyword: written[keyword]} if keyword in written else {}
    for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if keyword in (bound, flag) and isinstance(written.get(flag), bool):
            keywords = {name: written[name] for name in (bound, flag) if name in written}
    validator = VALIDATORS[node.place.dialect](
        plain(dict(keywords)),
        offline=True,
        pattern_options=OPTIONS,
        validate_formats=schema.opened.options.asserts_format,
    )
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        issue = to_issue(error, schema.limits)
        allowed = _listed(node) if keyword in ("enum", "const") else ()
        yield _reason(node, keyword, issue.error_type, issue.message, issue.expected, allowed)


def _of_values(node: Node, what: str, prefix: str) -> Iterator[Reason]:
    """Something that no list of values allows. prefix: the beginning of a string."""
    keyword = "const" if "const" in node.schema else "enum"
    allowed = _listed(node)
    expected = " or ".join(allowed)
    if prefix:
        message = f"no allowed value begins with {prefix[:_TEXT]!r}"
        allowed = _continuations(node, prefix) or allowed
    else:
        message = f"{what} is not one of the allowed values"
    yield _reason(node, keyword, keyword, message, expected, allowed)


def _listed(node: Node) -> tuple[str, ...]:
    held = [node.schema["const"]] if "const" in node.schema else list(node.schema.get("enum", ()))
    return tuple(_json(value) for value in held[:_SHOWN])


def _continuations(node: Node, prefix: str) -> tuple[str, ...]:
    """The allowed strings that begin with all but the last character of the prefix."""
    return tuple(_json(text) for text in node.texts or () if text.startswith(prefix[:-1]))[:_SHOWN]


def explain_name(frame: Frame, marks: int, name: str, *, complete: bool) -> list[Reason]:
    """Why no property may have this name, or one that begins so."""
    state = frame.state
    closed = {each.bit: each for each in state.closed_names(frame.irrelevant)}
    found = []
    for bit, node in _nodes(state, marks):
        each = closed.get(bit)
        keyword = each.keyword if each is not None else _refusing_keyword(node, name)
        names = [] if each is None or each.state is not None else list(_some(each.allowed("", frame.seen)))
        if complete:
            message = f"property {name[:_TEXT]!r} is not allowed here"
        elif name:
            message = f"no allowed property begins with {name[:_TEXT]!r}"
        else:
            message = "no further property is allowed here"
        fitting = [n for n in names if n.startswith(name if complete else name[:-1])] or names
        shown = tuple(_json(n) for n in fitting) or (("}",) if not name else ())
        expected = "one of the properties " + ", ".join(map(_json, names)) if names else ""
        found.append(_reason(node, keyword, keyword, message, expected, shown))
    message = f"property {name[:_TEXT]!r} calls for a schema that the object does not match"
    return found or [Reason("dependentSchemas", message)]


def explain_item(frame: Frame, marks: int) -> list[Reason]:
    """Why no further item may come."""
    found = []
    for _, node in _nodes(frame.state, marks):
        keyword = "additionalItems" if "additionalItems" in node.schema and node.prefix else "items"
        message = f"more than {frame.count} items are not allowed"
        found.append(_reason(node, keyword, keyword, message, f"at most {frame.count} items", ("]",)))
    return found


def _refusing_keyword(node: Node, name: str) -> str:
    if node.properties is not None and name in node.properties:
        return "properties"
    if node.additional is not None and node.additional.schema is False:
        return "additionalProperties"
    if node.names is not None:
        return "propertyNames"
    return "patternProperties" if node.patterns else "unevaluatedProperties"


def explain_close(state: State, newly: int, own: int, failed: int, frame: Frame) -> list[Reason]:
    """Why a container may not end here. newly: the nodes that fail because it does; own: all that fail by their own keywords."""
    found: list[Reason] = []
    for _, node in _nodes(state, newly):
        found.extend(_of_object(node, frame) if frame.is_object else _of_array(node, frame))
    what = "the object" if frame.is_object else "the array"
    return found or _of_formulas(state, own, what) or [_unevaluated(state, failed, frame)]


def _of_object(node: Node, frame: Frame) -> Iterator[Reason]:
    seen = frame.seen
    missing = [name for name in node.required if name not in seen]
    if missing:
        names = ", ".join(repr(name[:_TEXT]) for name in missing[:_SHOWN])
        message = f"property {names} is required and missing"
        if len(missing) > 1:
            message = f"properties {names} are required and missing"
        yield _reason(node, "required", "required", message, names, tuple(map(_json, missing[:_SHOWN])))
    for name, others in node.needed:
        lacking = [other for other in others if other not in seen]
        if name in seen and lacking:
            message = f"property {lacking[0][:_TEXT]!r} is missing beside {name[:_TEXT]!r}"
            keyword = "dependentRequired" if "dependentRequired" in node.schema else "dependencies"
            yield _reason(node, keyword, keyword, message, "", tuple(map(_json, lacking[:_SHOWN])))
    if frame.count < node.least_properties:
        message = f"has {frame.count} properties, at least {node.least_properties} are required"
        yield _reason(node, "minProperties", "minProperties", message, str(node.least_properties), (",",))
    if node.container_check is not None and not node.container_check(frame.value):
        yield from _of_values(node, _json(frame.value), "")


def _of_array(node: Node, frame: Frame) -> Iterator[Reason]:
    if frame.count < node.least_items:
        message = f"has {frame.count} items, at least {node.least_items} are required"
        yield _reason(
            node, "minItems", "minItems", message, str(node.least_items), (",",) if frame.count else ()
        )
    if node.unique_check is not None and not node.unique_check(frame.value):
        yield _reason(node, "uniqueItems", "uniqueItems", "two items are equal", "items that differ")
    if node.container_check is not None and not node.container_check(frame.value):
        yield from _of_values(node, _json(frame.value), "")
    if node.contains is not None:
        least = node.contains.least
        yield _reason(
            node, "contains", "contains", "too few or too many items match `contains`", f"at least {least}"
        )


def _of_formulas(state: State, own: int, what: str) -> list[Reason]:
    """The innermost keyword that combines subschemas and fails while no keyword of its node's own does."""
    failed = own & state.all
    first: list[Reason] = []
    for i, node in enumerate(state.nodes):
        if failed >> i & 1:
            continue
        keyword = state.failing_keyword(i, failed, own)
        if keyword:
            failed |= 1 << i
            if keyword != "allOf":
                message = _FORMULAS.get(keyword, "{} does not match").format(what[:_TEXT])
                first.append(_reason(node, keyword, keyword, message))
    return first[-1:]


_FORMULAS = {
    "anyOf": "{} matches none of the alternatives",
    "oneOf": "{} does not match exactly one of the alternatives",
    "not": "{} is what the schema excludes",
}


def _unevaluated(state: State, failed: int, frame: Frame) -> Reason:
    keyword = "unevaluatedProperties" if frame.is_object else "unevaluatedItems"
    asking = state.unevaluated_properties if frame.is_object else state.unevaluated_items
    for bit, place in asking:
        if failed & bit:
            what = "properties" if frame.is_object else "items"
            return Reason(
                keyword, f"{what} that nothing else describes are not allowed here", "", (), place.pointer
            )
    return Reason("false", "nothing is allowed here")


def _reason(
    node: Node, at: str, keyword: str, message: str, expected: str = "", allowed: tuple[str, ...] = ()
) -> Reason:
    pointer = node.place.pointer
    return Reason(
        keyword, message[:400], expected[:400], allowed, join_pointer(pointer, at) if at else pointer
    )


def _nodes(state: State, bits: int) -> Iterator[tuple[int, Node]]:
    for i, node in enumerate(state.nodes):
        if bits >> i & 1:
            yield 1 << i, node


def _some(names: Iterator[str]) -> Iterator[str]:
    for _, name in zip(range(_SHOWN), names, strict=False):
        yield name


def _json(value: Any) -> str:
    text = dump(plain(value), sort=False) if not isinstance(value, float) else repr(value)
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."
