"""From path, query and JSON body to a request message.

The proto JSON mapping, with snake_case or camelCase names, and three courtesies:
* enums by their short names: `ACTIVE` for `SCHEMA_STATE_ACTIVE`;
* `schema` instead of the base64 fields `schema_content` and `new_schema`: the text of a schema, or the schema itself as a
  JSON value (written out compactly, keys in order; send text where every byte matters);
* `data_json` instead of the base64 field `data`: a JSON value; `items_json` instead of the base64 texts `items`: JSON values.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast
from urllib.parse import parse_qsl

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from ...errors import InvalidRequest
from .json_text import MOST_ESCAPES, MOST_VALUES, decode, encode
from .json_types import NOT_SERVED, check_field, check_message, is_unicode
from .proto_json import message_of
from .routes import Route

_MOST_PARAMETERS = 100
# Far above what any list or map of a request may hold; three million tags would take seconds to refuse one by one.
MOST_ITEMS = 10_000
_TRUE, _FALSE = frozenset({"true", "1", ""}), frozenset({"false", "0"})
# Query names that are shorter than the field's.
_PARAMETERS = {"soft": "soft_delete"}
# Fields whose false a message cannot tell from absent: in a query string it can be told, and sets the other field.
_SET_BY_FALSE = {"soft_delete": "permanent"}
_FIELD_OF_ERROR = re.compile(r"Failed to parse (\S+) field: (.*)", re.DOTALL)

# A JSON object: whatever `decode` makes of one.
Tree = dict[str, Any]


def request_message(
    route: Route,
    captured: Mapping[str, str],
    query: str,
    body: bytes,
    defaults: Mapping[str, str] | None = None,
    *,
    most_values: int = MOST_VALUES,
    most_escapes: int = MOST_ESCAPES,
    most_items: int = MOST_ITEMS,
) -> Message:
    """The request. `defaults` fill fields that nothing else has set; `most_values` and `most_escapes` may the body have. Raises
    InvalidRequest, naming the field."""
    descriptor = _descriptor(route.method.request_type)
    tree: Tree = {}
    if route.body == "*":
        tree = expand(_object(body, most_values, most_escapes), descriptor, most_items)
    elif route.body:
        value = decode(body, most_values, most_escapes)
        tree[route.body] = expand({route.body: value}, descriptor, most_items)[route.body]
    _put_query(tree, descriptor, query, whole_body=route.body == "*")
    for name, text in captured.items():
        _put_captured(tree, descriptor, name, text)
    for name, text in (defaults or {}).items():
        tree.setdefault(name, text)
    return to_message(tree, route.method.request_type)


def _put_captured(tree: Tree, kind: Descriptor, dotted: str, text: str) -> None:
    """Sets a field from the path; dots in its name lead into messages (`{old.subject}`)."""
    *parents, leaf = dotted.split(".")
    for parent in parents:
        below = tree.setdefault(parent, {})
        if below is None:
            below = tree[parent] = {}
        check_field(below, kind.fields_by_name[parent], parent)
        tree, kind = below, cast(Descriptor, kind.fields_by_name[parent].message_type)
    if tree.get(leaf, text) != text:
        raise InvalidRequest(dotted, f"is {text[:100]!r} in the path and something else in the body")
    tree[leaf] = text


def line_message(
    route: Route,
    number: int,
    line: bytes,
    *,
    most_values: int = MOST_VALUES,
    most_escapes: int = MOST_ESCAPES,
    most_items: int = MOST_ITEMS,
) -> Message:
    """The request in one line of a batch. Raises InvalidRequest, naming the line and the field."""
    try:
        return to_message(
            expand(
                _object(line, most_values, most_escapes), _descriptor(route.method.request_type), most_items
            ),
            route.method.request_type,
        )
    except InvalidRequest as error:
        if not error.violations:
            raise InvalidRequest(f"line {number}", error.message) from error
        wrong = error.violations[0]
        raise InvalidRequest(wrong.field, f"{wrong.description} (line {number})") from error


def to_message(tree: Tree, kind: type[Message]) -> Message:
    """The message that a tree of full names describes. Raises InvalidRequest, naming the field."""
    check_message(tree, _descriptor(kind))
    try:
        made = message_of(tree, kind)
        return json_format.ParseDict(tree, kind()) if made is None else made
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        found = _FIELD_OF_ERROR.fullmatch(str(error))
        field, why = (found[1], found[2]) if found else ("", str(error))
        raise InvalidRequest(field, why[:300]) from error


def expand(tree: Tree, kind: Descriptor, most_items: int = MOST_ITEMS, path: str = "") -> Tree:
    """The tree with friendly names and values replaced by those of the mapping. Raises InvalidRequest, also for lists and maps of
    more than `most_items`."""
    expanded: Tree = {}
    for name, value in tree.items():
        field = _field(kind, name)
        encode = None
        if field is None and name in _ALIASES:
            targets, encode = _ALIASES[name]
            field = next((kind.fields_by_name[t] for t in targets if t in kind.fields_by_name), None)
        if field is None:
            raise InvalidRequest(
                path + name[:100], f"{kind.name} has no such field; {_names(kind, name[:100])}"
            )
        if field.name in expanded:
            raise InvalidRequest(path + field.name, f"is given twice, the second time as {name!r}")
        _check_count(value, most_items, path + name)
        if encode is not None:
            expanded[field.name] = encode(path + name, value)
        else:
            expanded[field.name] = _expand_value(value, field, most_items, path + field.name)
    return expanded


def _check_count(value: Any, most_items: int, path: str) -> None:
    if isinstance(value, (list, dict)) and len(value) > most_items:
        raise InvalidRequest(
            path, f"has {len(value)} items; the limit is {most_items} (setting limits.request_items)"
        )


def _expand_value(value: Any, field: FieldDescriptor, most_items: int, path: str) -> Any:
    if field.enum_type is not None:
        kind = field.enum_type
        if isinstance(value, list):
            return [_enum(item, kind, path) for item in value]
        return _enum(value, kind, path)
    inner = field.message_type
    if inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google."):
        return value
    if isinstance(value, list):
        return [
            expand(item, inner, most_items, f"{path}[{i}].") if isinstance(item, dict) else item
            for i, item in enumerate(value)
        ]
    return expand(value, inner, most_items, f"{path}.") if isinstance(value, dict) else value


def _enum(value: Any, kind: EnumDescriptor, path: str) -> Any:
    if not isinstance(value, str) or value in kind.values_by_name:
        return value
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    if prefix + value.upper() in kind.values_by_name:
        return prefix + value.upper()
    if value.isascii() and value.isdigit():
        return int(value[:10])
    names = ", ".join(
        v.name.removeprefix(prefix) for v in kind.values if v.number and v.name not in NOT_SERVED
    )
    raise InvalidRequest(path, f"{value[:100]!r} is none of {names}")


def _schema(path: str, value: Any) -> str:
    return _base64(path, value if isinstance(value, str) else encode(value))


def _data(path: str, value: Any) -> str:
    return _base64(path, encode(value))


def _items(path: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise InvalidRequest(path, "must be a list of JSON values")
    return [_data(f"{path}[{place}]", item) for place, item in enumerate(value)]


def _names(kind: Descriptor, given: str) -> str:
    """The name that was meant, when one is near, and all that there are: as people write them, aliases before base64."""
    friendly = {target: alias for alias, (targets, _) in _ALIASES.items() for target in targets}
    names = [friendly.get(f.name, f.name) for f in kind.fields if not f.GetOptions().deprecated]
    near = get_close_matches(given, names, 1)
    return f"{f'did you mean {near[0]!r}? It' if near else 'it'} has {', '.join(names)}"


_ALIASES = {
    "schema": (("schema_content", "new_schema"), _schema),
    "data_json": (("data",), _data),
    "items_json": (("items",), _items),
}


def _base64(path: str, text: str) -> str:
    try:
        return base64.b64encode(text.encode()).decode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(path, "holds half of a surrogate pair, which is no text") from error


def _put_query(tree: Tree, kind: Descriptor, query: str, *, whole_body: bool) -> None:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:
        raise InvalidRequest("", f"the query string cannot be read: {error}") from error
    for name, text in pairs:
        if not (is_unicode(name) and is_unicode(text)):
            field = name[:100].encode("utf-8", "backslashreplace").decode()
            raise InvalidRequest(field, "is not percent-encoded UTF-8 in the query string")
        if whole_body:
            raise InvalidRequest(name[:100], "is not a parameter here: everything goes into the body")
        _put(tree, kind, name, text)


def _put(tree: Tree, root: Descriptor, dotted: str, text: str) -> None:
    *parents, leaf = dotted.split(".")
    kind = root
    for parent in parents:
        field = _field(kind, parent)
        if field is None or field.message_type is None or field.is_repeated:
            raise _no_parameter(dotted, root)
        tree, kind = tree.setdefault(field.name, {}), field.message_type
        if not isinstance(tree, dict):
            raise InvalidRequest(dotted[:100], "is given twice")
    field = _field(kind, _PARAMETERS.get(leaf, leaf))
    if field is None or not _is_parameter(field):
        raise _no_parameter(dotted, root)
    value = _parameter(dotted, field, text)
    if value is False and field.name in _SET_BY_FALSE:
        field, value = kind.fields_by_name[_SET_BY_FALSE[field.name]], True
    if field.is_repeated:
        tree.setdefault(field.name, []).append(value)
    elif field.name in tree:
        raise InvalidRequest(dotted[:100], "is given twice")
    else:
        tree[field.name] = value


def _is_parameter(field: FieldDescriptor) -> bool:
    """Whether a query parameter can carry the field."""
    return field.message_type is None or field.message_type.full_name.startswith("google.protobuf.")


def _no_parameter(dotted: str, kind: Descriptor) -> InvalidRequest:
    names = [field.name for field in kind.fields if _is_parameter(field)]
    for field in kind.fields:
        inner = field.message_type
        if inner is not None and not field.is_repeated and not _is_parameter(field):
            names += [f"{field.name}.{below.name}" for below in inner.fields if _is_parameter(below)]
    known = f"there are {', '.join(names)}" if names else "there are none"
    return InvalidRequest(dotted[:100], f"is not a parameter of this path; {known}")


def _parameter(name: str, field: FieldDescriptor, text: str) -> Any:
    if field.enum_type is not None:
        return _enum(text, field.enum_type, name)
    if field.cpp_type != FieldDescriptor.CPPTYPE_BOOL:
        return text
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise InvalidRequest(name, f"{text[:100]!r} is neither true nor false")


def _descriptor(kind: type[Message]) -> Descriptor:
    return cast(Descriptor, kind.DESCRIPTOR)  # the stubs also know the C class of the same shape


def _field(kind: Descriptor, name: str) -> FieldDescriptor | None:
    found: FieldDescriptor | None = kind.fields_by_name.get(name) or kind.fields_by_camelcase_name.get(name)
    return found


def _object(body: bytes, most_values: int, most_escapes: int) -> Tree:
    value = decode(body, most_values, most_escapes) if body.strip() else {}
    if not isinstance(value, dict):
        raise InvalidRequest("", "the body must be a JSON object")
    return value
