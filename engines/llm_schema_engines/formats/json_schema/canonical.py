"""Canonical forms and fingerprints of a schema. Pure.

Canonical JSON here is RFC 8785 extended with exact numbers: keys in code point order, no white space, an integral
number without fraction or exponent, any other in the shortest exact decimal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from .dialects import (
    ANNOTATIONS,
    HOLDING_SCHEMAS,
    SCHEMA_KEYWORDS,
    SCHEMA_LIST_KEYWORDS,
    SCHEMA_MAP_KEYWORDS,
    Dialect,
)
from .pointers import join_pointer

_SETS = frozenset({"required", "enum", "type"})
_CHANGED = {
    dialect: HOLDING_SCHEMAS[dialect] | _SETS - {"type"} | {"dependentRequired"} for dialect in Dialect
}
"""Keywords whose values `strip_annotations` may change, but for `type`."""


def number_text(value: int | Decimal) -> str:
    """The canonical text of a number: 1, 1.0 and 10e-1 are all `1`."""
    if isinstance(value, int):
        return str(value)
    if value == value.to_integral_value() and value.adjusted() < 400:
        return str(int(value))
    sign, digits, exponent = value.as_tuple()  # Decimal.normalize would round to the context's precision
    assert isinstance(exponent, int), "the reader accepts no NaN and no infinity"
    spelled = "".join(map(str, digits))
    text = spelled.rstrip("0")
    exponent += len(spelled) - len(text)
    scientific = exponent + len(text) - 1
    if -7 < scientific < 0:
        body = "0." + "0" * (-scientific - 1) + text
    elif 0 <= scientific < 21 and exponent < 0:
        body = text[: scientific + 1] + "." + text[scientific + 1 :]
    else:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{scientific:+d}"
    return "-" * sign + body


def dump(value: Any, *, sort: bool) -> str:
    """JSON text of a value that the strict reader returned: no white space, numbers in canonical form."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else 0).decode()
    except TypeError:  # a Decimal, or an integer beyond 64 bits
        return _dump(value, sort)


def _dump(value: Any, sort: bool) -> str:
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join([_dump(item, sort) for item in value]) + "]"
    if isinstance(value, dict):
        items: Iterable[tuple[str, Any]] = sorted(value.items()) if sort else value.items()
        return "{" + ",".join([f"{_dump(k, sort)}:{_dump(v, sort)}" for k, v in items]) + "}"
    return orjson.dumps(value).decode()


def digest(*parts: str) -> str:
    """SHA-256 over the parts, each with its length in front, in hexadecimal."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def strip_annotations(schema: Any, dialect: Dialect, pointed: frozenset[str], pointer: str = "") -> Any:
    """The schema reduced to what decides validity, for the validation fingerprint.

    Annotations are removed, arrays that are sets are sorted, `{}` becomes `true`. Definitions stay: `drop_unreachable`
    removes unused ones. `pointed`: pointers that references lead through, where annotations stay.
    """
    if not isinstance(schema, dict):
        return schema
    if dialect.isolates_references and "$ref" in schema:
        schema = {k: v for k, v in schema.items() if k in ("$ref", "definitions")}
    if not pointed and _CHANGED[dialect].isdisjoint(schema) and not isinstance(schema.get("type"), list):
        return {k: v for k, v in schema.items() if k not in ANNOTATIONS} or True  # most are of this kind
    out: dict[str, Any] = {}
    changed = _CHANGED[dialect]
    for keyword, value in schema.items():
        here = join_pointer(pointer, keyword) if pointed else ""
        if keyword in ANNOTATIONS and here not in pointed:
            continue
        looked_into = keyword in changed or keyword == "type"
        out[keyword] = _stripped(keyword, value, dialect, pointed, here) if looked_into else value
    return out or True


def _stripped(keyword: str, value: Any, dialect: Dialect, pointed: frozenset[str], here: str) -> Any:
    def below(sub: Any, token: str | int) -> Any:
        return strip_annotations(sub, dialect, pointed, join_pointer(here, token) if pointed else "")

    if keyword in SCHEMA_MAP_KEYWORDS[dialect] and isinstance(value, dict):
        if not pointed:
            return {
                name: strip_annotations(sub, dialect, pointed) if isinstance(sub, dict) else _sorted_set(sub)
                for name, sub in value.items()
            }
        return {
            name: below(sub, name) if isinstance(sub, dict) else _sorted_set(sub)
            for name, sub in value.items()
        }
    if keyword in SCHEMA_LIST_KEYWORDS[dialect] and isinstance(value, list):
        return [below(sub, i) for i, sub in enumerate(value)]
    if keyword in SCHEMA_KEYWORDS[dialect]:
        return strip_annotations(value, dialect, pointed, here)
    if keyword == "dependentRequired" and isinstance(value, dict):
        return {name: _sorted_set(names) for name, names in value.items()}
    if keyword in _SETS and isinstance(value, list):
        if keyword == "type" and len(value) == 1:
            return value[0]
        return _sorted_set(value)
    return value


def _sorted_set(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [item for _, item in sorted({dump(item, sort=True): item for item in value}.items())]


def drop_unreachable(schema: Any, reached: Mapping[str, frozenset[str]]) -> Any:
    """The root schema without the definitions that no reference of it leads to; `reached` is keyword -> names."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    for keyword, names in reached.items():
        held = out.get(keyword)
        if isinstance(held, dict):
            kept = {name: sub for name, sub in held.items() if name in names}
            if kept:
                out[keyword] = kept
            else:
                del out[keyword]
    return out or True
