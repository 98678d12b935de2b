"""Deterministic corrections of an answer that is not valid, each only when it was asked for. Pure.

A valid document is never changed, and what has been corrected is not changed again. Each correction must end the error that it is
made for without a new one elsewhere, as the ordinary validator says; it is told as an operation of a JSON Patch (RFC 6902).
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import jsonschema_rs

from ..formats.json_schema.canonical import dump
from ..formats.json_schema.data_issues import keyword_of
from ..formats.json_schema.limits import JsonSchemaLimits
from ..formats.json_schema.pointers import to_pointer
from ..formats.json_schema.reading import JsonReadError, read
from ..formats.json_schema.rewriting import plain
from ..formats.json_schema.validation import JsonDataValidator
from ..model.validation import DataReport

MOST_CORRECTIONS = 64
"""Corrections of one document: each is followed by a validation."""
_ERRORS = 100


class Coercion(enum.IntEnum):
    """One kind of correction.

    STRINGIFIED_JSON: a string that holds the array or object that is asked for. ENUM_CASE: a string that is an allowed one but
    for case, and the only one. NUMERIC_STRING: a string that is a number. SINGLE_VALUE: a value where an array of such values is
    asked for. NULL_FOR_ABSENT: null for an optional property, which is left out. UNKNOWN_KEYS: properties that a closed object
    does not allow are left out. WHITESPACE: white space around a string. DATE: another spelling of the same date or time; no time
    zone and no part is made up.
    """

    STRINGIFIED_JSON = 1
    ENUM_CASE = 2
    NUMERIC_STRING = 3
    SINGLE_VALUE = 4
    NULL_FOR_ABSENT = 5
    UNKNOWN_KEYS = 6
    WHITESPACE = 7
    DATE = 8


@dataclass(frozen=True, slots=True)
class Coerced:
    """The outcome. document: what came in when nothing was corrected, byte for byte. patch: operations of a JSON Patch, in order.
    counts: how often each kind was used: a growing share of them is an early sign that a model drifts. report: of `document`."""

    document: bytes
    patch: tuple[Mapping[str, Any], ...]
    counts: Mapping[Coercion, int]
    report: DataReport

    @property
    def changed(self) -> bool:
        return bool(self.patch)


Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    kind: Coercion
    path: Path
    value: Any = None
    remove: bool = False

    def operation(self) -> dict[str, Any]:
        if self.remove:
            return {"op": "remove", "path": to_pointer(self.path)}
        return {"op": "replace", "path": to_pointer(self.path), "value": _plain(self.value)}


def coerce(
    validator: JsonDataValidator, document: bytes, kinds: frozenset[Coercion], limits: JsonSchemaLimits
) -> Coerced:
    """Correct a document as far as `kinds` allow and no further than is certain; see Coerced.

    A document that is not JSON, or whose errors cost too much to list, is left as it is.
    """
    report = validator.validate(document)
    if report.valid or not kinds:
        return Coerced(document, (), {}, report)
    try:
        value = _read(document, limits)
    except JsonReadError:
        return Coerced(document, (), {}, report)
    session = _Session(validator, value, kinds, limits)
    changes = session.run()
    if not changes:
        return Coerced(document, (), {}, report)
    corrected = dump(session.value, sort=False).encode()
    counts = Counter(change.kind for change in changes)
    patch = tuple(change.operation() for change in changes)
    return Coerced(corrected, patch, dict(counts), validator.validate(corrected))


def _read(document: bytes, limits: JsonSchemaLimits) -> Any:
    return plain(
        read(
            document,
            what="data",
            max_bytes=limits.data_bytes,
            max_depth=limits.data_depth,
            max_digits=limits.number_digits,
        )
    )


_Signature = tuple[Path, str, str]


class _Session:
    def __init__(
        self, validator: JsonDataValidator, value: Any, kinds: frozenset[Coercion], limits: JsonSchemaLimits
    ) -> None:
        self.value = value
        self._validator, self._kinds, self._limits = validator, kinds, limits

    def run(self) -> list[_Change]:
        changes: list[_Change] = []
        errors = self._errors(self.value)
        hopeless: set[_Signature] = set()
        left = MOST_CORRECTIONS
        while errors and left > 0:
            for error in errors:
                if _signature(error) in hopeless:
                    continue
                left -= 1
                found = self._correction(error, errors)
                if found is not None:
                    made, self.value, errors = found
                    changes += made
                    break
                hopeless.add(_signature(error))
                if left <= 0:
                    break
            else:
                break
        return changes

    def _errors(self, value: Any) -> list[jsonschema_rs.ValidationError]:
        return self._validator.errors(dump(value, sort=False).encode(), _ERRORS)

    def _correction(
        self, error: jsonschema_rs.ValidationError, errors: list[jsonschema_rs.ValidationError]
    ) -> tuple[list[_Change], Any, list[jsonschema_rs.ValidationError]] | None:
        """The changes that end an error, with the value and the errors that are left then."""
        path = tuple(error.instance_path)
        before = {_signature(each) for each in errors}
        for candidate in self._candidates(error):
            changed = self.value
            try:
                for change in candidate:
                    changed = _apply(changed, change)
            except (LookupError, TypeError):
                continue  # errors inside of unions do not tell empty names on the way to them
            after = self._errors(changed)
            if not after and not self._validator.accepts(dump(changed, sort=False).encode()):
                continue  # the errors were too many to list
            now = {_signature(each) for each in after}
            inside = candidate[0].kind is Coercion.STRINGIFIED_JSON
            new = [each for each in now - before if not (inside and each[0][: len(path)] == path)]
            if _signature(error) not in now and not new:
                return list(candidate), changed, after
        return None

    def _candidates(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[_Change, ...]]:
        keyword = keyword_of(error)
        if keyword in ("anyOf", "oneOf"):
            yield from self._of_branches(error)
            return
        path = tuple(error.instance_path)
        value = error.instance
        for kind, proposals in _PROPOSALS:
            if kind in self._kinds:
                for proposed in proposals(keyword, error, value, self._limits):
                    if isinstance(proposed, _Removed):
                        if proposed.names is None and path and isinstance(path[-1], str):
                            yield (_Change(kind, path, remove=True),)
                        elif proposed.names is not None:
                            yield tuple(_Change(kind, (*path, name), remove=True) for name in proposed.names)
                    else:
                        yield (_Change(kind, path, proposed.value),)

    def _of_branches(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[_Change, ...]]:
        """What would satisfy one branch of a union; only when all branches that can be satisfied want the same."""
        base = tuple(error.instance_path)
        found: dict[str, tuple[_Change, ...]] = {}
        for branch in getattr(error.kind, "context", None) or []:
            changes: list[_Change] = []
            for inner in branch:
                if keyword_of(inner) in ("anyOf", "oneOf"):
                    break
                options = list(self._candidates(inner))
                if not options:
                    break
                changes.extend(options[0])
            else:
                if changes and all(change.path[: len(base)] == base for change in changes):
                    found[str([change.operation() for change in changes])] = tuple(changes)
        if len(found) == 1:
            yield from found.values()


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


@dataclass(frozen=True, slots=True)
class _Removed:
    """The members of these names go; None: the value itself."""

    names: tuple[str, ...] | None = None


_Proposals = Callable[
    [str, jsonschema_rs.ValidationError, Any, JsonSchemaLimits], Iterator[_Value | _Removed]
]


def _kind(error: jsonschema_rs.ValidationError) -> Any:
    """What is particular to the keyword, without the types of the library."""
    return error.kind


def _types(keyword: str, error: jsonschema_rs.ValidationError) -> frozenset[str]:
    return frozenset(_kind(error).types) if keyword == "type" else frozenset()


def _stringified(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    wanted = _types(keyword, error) & {"array", "object"}
    if wanted and isinstance(value, str):
        try:
            held = _read(value.strip().encode(), limits)
        except (JsonReadError, UnicodeEncodeError):
            return
        if (isinstance(held, dict) and "object" in wanted) or (isinstance(held, list) and "array" in wanted):
            yield _Value(held)


def _case(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if keyword in ("enum", "const") and isinstance(value, str):
        fitting = [text for text in _allowed(keyword, error) if text.casefold() == value.casefold()]
        if len(fitting) == 1:
            yield _Value(fitting[0])


def _allowed(keyword: str, error: jsonschema_rs.ValidationError) -> list[str]:
    held = _kind(error).options if keyword == "enum" else [_kind(error).expected_value]
    return [text for text in held if isinstance(text, str)]


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")


def _numeric(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    wanted = _types(keyword, error)
    if not wanted & {"number", "integer"} or not isinstance(value, str):
        return
    text = value.strip()
    if len(text) <= limits.number_digits and _NUMBER.fullmatch(text):
        try:
            number = _read(text.encode(), limits)
        except JsonReadError:
            return
        if "number" in wanted or isinstance(number, int):
            yield _Value(number)


def _single(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if "array" in _types(keyword, error) and value is not None:
        yield _Value([_exact(value)])


def _null(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if value is None and keyword in ("type", "enum", "const"):
        yield _Removed()


def _unknown(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if keyword in ("additionalProperties", "unevaluatedProperties") and isinstance(value, dict):
        names = tuple(name for name in _kind(error).unexpected if name in value)
        if names:
            yield _Removed(names)


def _whitespace(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if keyword in ("enum", "const", "pattern", "format", "maxLength") and isinstance(value, str):
        text = value.strip()
        if text != value:
            yield _Value(text)


_DATE = re.compile(r"([0-9]{4})[-/.]?([0-9]{1,2})[-/.]?([0-9]{1,2})")
_SEPARATED = re.compile(r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{8}")
_MOMENT = re.compile(
    r"([0-9/.-]{8,10})[Tt ]+([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(\.[0-9]{1,9})?)? *([Zz]|[-+][0-9]{2}:?[0-9]{2})"
)


def _date(
    keyword: str, error: jsonschema_rs.ValidationError, value: Any, limits: JsonSchemaLimits
) -> Iterator[_Value | _Removed]:
    if keyword != "format" or not isinstance(value, str):
        return
    text = value.strip()
    if _kind(error).format == "date":
        found = _iso_date(text)
        if found:
            yield _Value(found)
    elif _kind(error).format == "date-time":
        moment = _MOMENT.fullmatch(text)
        day = _iso_date(moment[1]) if moment else ""
        if moment and day:
            zone = moment[6].upper()
            if zone != "Z" and ":" not in zone:
                zone = zone[:3] + ":" + zone[3:]
            spelled = f"{day}T{moment[2]}:{moment[3]}:{moment[4] or '00'}{moment[5] or ''}{zone}"
            try:
                datetime.fromisoformat(spelled.replace("Z", "+00:00"))
            except ValueError:
                return
            yield _Value(spelled)


def _iso_date(text: str) -> str:
    """The date as ISO 8601 writes it, when its year stands first; "" for no date."""
    found = _DATE.fullmatch(text)
    if found is None or not _SEPARATED.fullmatch(text):
        return ""
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return ""


_PROPOSALS: tuple[tuple[Coercion, _Proposals], ...] = (
    (Coercion.STRINGIFIED_JSON, _stringified),
    (Coercion.WHITESPACE, _whitespace),
    (Coercion.ENUM_CASE, _case),
    (Coercion.NUMERIC_STRING, _numeric),
    (Coercion.DATE, _date),
    (Coercion.NULL_FOR_ABSENT, _null),
    (Coercion.UNKNOWN_KEYS, _unknown),
    (Coercion.SINGLE_VALUE, _single),
)
"""The safest first: the first that ends the error is taken."""


def _apply(value: Any, change: _Change) -> Any:
    """The value with one change; what is not on the way to it is shared."""
    if not change.path:
        return change.value
    root = out = copy(value)
    for token in change.path[:-1]:
        out[token] = copy(out[token])
        out = out[token]
    if change.remove:
        del out[change.path[-1]]
    else:
        out[change.path[-1]] = change.value
    return root


def _plain(value: Any) -> Any:
    """The value as `json` writes it: exact numbers as floats, where these are the same."""
    if isinstance(value, Decimal):
        rough = float(value)
        return rough if Decimal(repr(rough)) == value else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _exact(value: Any) -> Any:
    """The value of an error with floats as exact numbers."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    return value


def _signature(error: jsonschema_rs.ValidationError) -> _Signature:
    return (
        tuple(error.instance_path),
        keyword_of(error),
        to_pointer(error.schema_path) + str(getattr(error.kind, "property", "")),
    )
