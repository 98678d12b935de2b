"""Reads a profile from its JSON document, and refuses what is none. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, NoReturn, TypeVar

from ..errors import InvalidRequest
from .conditions import FEATURES, When
from .profile import (
    MEASURES,
    STRUCTURE,
    Basis,
    Cell,
    Cells,
    KeyOrder,
    Limit,
    NameRule,
    NotGuaranteed,
    Profile,
    Source,
    Support,
    WhenUnknown,
    is_profile_id,
)

MOST_BYTES = 256 * 1024
"""Bytes of one profile."""
_MOST_ENTRIES, _MOST_TEXT = 500, 2000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")

T = TypeVar("T")


def read_profile(content: bytes) -> Profile:
    """The profile that a JSON document describes. Raises InvalidRequest (field `profile`), naming the place."""
    if len(content) > MOST_BYTES:
        _refuse("", f"is {len(content)} bytes long; the limit is {MOST_BYTES}")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        _refuse("", f"is not JSON: {str(error)[:200]}")
    return _profile(document)


@functools.cache
def shipped() -> Mapping[str, Profile]:
    """The profiles that come with this package, by id, in the order of their ids."""
    found = {}
    for file in sorted(
        files(__package__).joinpath("data").iterdir(), key=lambda f: f.name.removesuffix(".json")
    ):
        if file.name.endswith(".json"):
            profile = read_profile(file.read_bytes())
            found[profile.id] = profile
    return found


def _profile(document: Any) -> Profile:
    take = _Members(
        "",
        document,
        {"id", "version", "title", "provider", "as_of", "enforcement", "unlisted", "keywords"},
        {"when_unknown", "key_order", "sources", "structure", "limits", "tool_name", "property_name"}
        | {"not_guaranteed", "envelopes", "null_form"},
    )
    name = take.text("id")
    if not is_profile_id(name):
        _refuse("/id", f"{name[:80]!r} is no id: write 1 to 64 lower case letters, digits, dots and hyphens")
    version = take.value("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 2**31:
        _refuse("/version", "is no number from 1")
    sources = {key: _source(f"/sources/{key}", value) for key, value in take.mapping("sources").items()}
    as_of = _date("/as_of", take.text("as_of"))
    cells = _CellReader(sources, as_of)
    keywords = {
        word: cells.cases(f"/keywords/{word}", value) for word, value in take.mapping("keywords").items()
    }
    structure = {}
    for rule, value in take.mapping("structure").items():
        if rule not in STRUCTURE:
            _refuse(f"/structure/{rule}", f"is none of {', '.join(STRUCTURE)}")
        structure[rule] = cells.cell(f"/structure/{rule}", value)
    order = take.optional("key_order")
    null_form = take.optional("null_form", "union")
    if null_form not in ("union", "nullable"):
        _refuse("/null_form", "is neither union nor nullable")
    return Profile(
        id=name,
        version=version,
        title=take.text("title"),
        provider=take.text("provider"),
        as_of=as_of,
        enforcement=cells.cell("/enforcement", take.value("enforcement")),
        when_unknown=_member(WhenUnknown, "/when_unknown", take.optional("when_unknown", "DROP")),
        key_order=_key_order(cells, order, as_of),
        unlisted=cells.cell("/unlisted", take.value("unlisted")),
        sources=sources,
        keywords=keywords,
        structure=structure,
        limits=tuple(_limit(cells, f"/limits/{n}", v) for n, v in enumerate(take.items("limits"))),
        tool_name=_name_rule(cells, "/tool_name", take.optional("tool_name")),
        property_name=_name_rule(cells, "/property_name", take.optional("property_name")),
        not_guaranteed=tuple(
            _not_guaranteed(cells, f"/not_guaranteed/{n}", v)
            for n, v in enumerate(take.items("not_guaranteed"))
        ),
        envelopes=_envelopes(take.mapping("envelopes")),
        null_form=null_form,
        document=document,
    )


class _CellReader:
    def __init__(self, sources: Mapping[str, Source], as_of: str) -> None:
        self._sources, self._newest = sources, as_of

    def cell(self, at: str, value: Any, extra: frozenset[str] = frozenset()) -> Cell:
        """One cell without a case; `extra` members are somebody else's."""
        take = _Members(at, value, {"support"}, {"basis", "source", "as_of", "note", "when", *extra})
        support = _member(Support, f"{at}/support", take.value("support"))
        basis = _member(Basis, f"{at}/basis", take.optional("basis", "NONE"))
        if (basis is Basis.NONE) != (support is Support.UNKNOWN):
            _refuse(f"{at}/basis", "only what is UNKNOWN has no basis, and it has none")
        source = take.optional("source", "")
        if basis is not Basis.NONE and source not in self._sources:
            _refuse(f"{at}/source", "names no entry of /sources; what is known has a source")
        as_of = _date(f"{at}/as_of", take.optional("as_of", self._newest))
        if as_of > self._newest:
            _refuse(f"{at}/as_of", f"{as_of} is later than {self._newest}, the date of the profile")
        note = _text(f"{at}/note", take.optional("note", ""))
        when = take.optional("when")
        return Cell(support, basis, source, as_of, note, None if when is None else _when(f"{at}/when", when))

    def cases(self, at: str, value: Any) -> Cells:
        """The cases of a keyword: one cell, or several of which the last is unconditional."""
        cells = tuple(
            self.cell(f"{at}/{n}", v) for n, v in enumerate(value if isinstance(value, list) else [value])
        )
        if not cells or len(cells) > 20:
            _refuse(at, "has no cell, or more than 20")
        if cells[-1].when is not None or any(c.when is None for c in cells[:-1]):
            _refuse(at, "the last cell, and only the last one, has no `when`")
        return cells


def _when(at: str, value: Any) -> When:
    names = {
        "root",
        "values",
        "types",
        "elements",
        "beside",
        "declared",
        "pattern",
        "above",
        "nested",
        "refers",
    }
    take = _Members(at, value, set(), names)
    for name in ("root", "nested", "refers"):
        if not isinstance(take.optional(name, False), bool):
            _refuse(f"{at}/{name}", "is neither true nor false")
    above = take.optional("above")
    if above is not None and (not isinstance(above, int) or isinstance(above, bool)):
        _refuse(f"{at}/above", "is no integer")

    def words(name: str, allowed: tuple[str, ...] | None) -> tuple[str, ...] | None:
        given = take.optional(name)
        if given is None:
            return None
        if not isinstance(given, list) or not all(isinstance(w, str) for w in given):
            _refuse(f"{at}/{name}", "is no list of texts")
        for word in given:
            if allowed is not None and word not in allowed:
                _refuse(f"{at}/{name}", f"{word[:80]!r} is none of {', '.join(allowed)}")
        return tuple(given)

    values = take.optional("values")
    if values is not None and not isinstance(values, list):
        _refuse(f"{at}/values", "is no list")
    return When(
        root=take.optional("root"),
        values=None if values is None else tuple(values),
        types=words("types", _TYPES),
        elements=words("elements", _TYPES),
        beside=words("beside", None),
        declared=words("declared", _TYPES),
        pattern=words("pattern", FEATURES),
        above=above,
        nested=take.optional("nested"),
        refers=take.optional("refers"),
    )


def _key_order(cells: _CellReader, value: Any, as_of: str) -> tuple[KeyOrder, Cell]:
    if value is None:
        return KeyOrder.UNKNOWN, Cell(Support.UNKNOWN, Basis.NONE, "", as_of)
    order = value.get("order") if isinstance(value, dict) else None
    return _member(KeyOrder, "/key_order/order", order), cells.cell("/key_order", value, frozenset({"order"}))


def _limit(cells: _CellReader, at: str, value: Any) -> Limit:
    extra = frozenset({"measure", "most", "per_request", "floor"})
    cell = cells.cell(at, value, extra)
    measure, most = value.get("measure"), value.get("most")
    if measure not in MEASURES:
        _refuse(f"{at}/measure", f"is none of {', '.join(MEASURES)}")
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        _refuse(f"{at}/most", "is no number from 0")
    flags = [value.get("per_request", False), value.get("floor", False)]
    if not all(isinstance(flag, bool) for flag in flags):
        _refuse(at, "per_request and floor are true or false")
    return Limit(measure, most, flags[0], cell, flags[1])


def _name_rule(cells: _CellReader, at: str, value: Any) -> NameRule | None:
    if value is None:
        return None
    cell = cells.cell(at, value, frozenset({"pattern", "most"}))
    pattern, most = value.get("pattern", ""), value.get("most", 0)
    if not isinstance(pattern, str) or not re.fullmatch(r"(?:\[[A-Za-z0-9_.:\\-]+\][*+]?){1,4}|", pattern):
        _refuse(f"{at}/pattern", "is no sequence of character classes such as [A-Za-z_][A-Za-z0-9_-]*")
    if not isinstance(most, int) or isinstance(most, bool) or not 0 <= most <= 1000:
        _refuse(f"{at}/most", "is no number from 0 to 1000")
    try:
        re.compile(pattern)
    except re.error as error:
        _refuse(f"{at}/pattern", f"is no regular expression: {error}")
    return NameRule(pattern, most, cell)


def _not_guaranteed(cells: _CellReader, at: str, value: Any) -> NotGuaranteed:
    cell = cells.cell(at, value, frozenset({"text", "keywords"}))
    words = value.get("keywords", [])
    if not isinstance(words, list) or not all(isinstance(w, str) for w in words):
        _refuse(f"{at}/keywords", "is no list of keywords")
    return NotGuaranteed(_text(f"{at}/text", value.get("text")), cell, tuple(words))


def _envelopes(given: Mapping[str, Any]) -> Mapping[str, Any]:
    for surface, envelope in given.items():
        if not re.fullmatch("[a-z][a-z_]{0,30}", surface) or not isinstance(envelope, dict):
            _refuse(f"/envelopes/{surface[:60]}", "is no object under a name of lower case letters and _")
    return given


def _source(at: str, value: Any) -> Source:
    take = _Members(at, value, {"title"}, {"url"})
    return Source(take.text("title"), _text(f"{at}/url", take.optional("url", "")))


class _Members:
    """The members of an object, of which nothing unknown is accepted."""

    def __init__(self, at: str, value: Any, required: set[str], optional: set[str]) -> None:
        if not isinstance(value, dict):
            _refuse(at, "is no object")
        if unknown := sorted(set(value) - required - optional):
            _refuse(
                f"{at}/{unknown[0][:80]}", f"is unknown; known are {', '.join(sorted(required | optional))}"
            )
        if missing := sorted(required - set(value)):
            _refuse(f"{at}/{missing[0]}", "is missing")
        self._at, self._value = at, value

    def value(self, name: str) -> Any:
        return self._value[name]

    def optional(self, name: str, otherwise: Any = None) -> Any:
        return self._value.get(name, otherwise)

    def text(self, name: str) -> str:
        return _text(f"{self._at}/{name}", self._value[name])

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._value.get(name, {})
        if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
            _refuse(f"{self._at}/{name}", f"is no object of at most {_MOST_ENTRIES} members")
        return value

    def items(self, name: str) -> list[Any]:
        value = self._value.get(name, [])
        if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
            _refuse(f"{self._at}/{name}", f"is no list of at most {_MOST_ENTRIES} items")
        return value


def _text(at: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        _refuse(at, f"is no text of at most {_MOST_TEXT} characters")
    return value


def _date(at: str, value: Any) -> str:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        _refuse(at, "is no date such as 2026-11-23")
    return value


def _member(kind: Callable[[Any], T], at: str, value: Any) -> T:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(m) for m in kind)  # type: ignore[attr-defined]  # an enumeration
        _refuse(at, f"{str(value)[:80]!r} is none of {known}")


def _refuse(at: str, why: str) -> NoReturn:
    raise InvalidRequest("profile", f"{at[:300]}: {why}" if at else why)
