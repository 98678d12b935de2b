"""Candidates of edits for a JSON Schema. The prover decides which of them help. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..formats.json_schema.pointers import to_pointer
from ..model.compatibility import Direction
from .documents import MISSING, Operation, Tokens, put, read_document, value_at, write_document
from .language import Proposal, Question, by_operations
from .model import FixKind
from .schema_places import ANNOTATIONS, DEFINITIONS, definitions_for, earlier_part, subschemas_on, tokens_of

K = FixKind
_ROOT_WORDS = ("$schema", "$id", "$comment", "title", "description", *DEFINITIONS)
"""Keywords of the root that stay there when the rest becomes one of several alternatives."""
_MOST_NAMES = 5
_MOST_AROUND = 6
"""Subschemas around a place, from the inside, that are tried before the whole document."""
_MOST_VALUES = 1000


class JsonSchemaLanguage:
    """language.Language for JSON Schema."""

    def open(self, content: bytes) -> Any:
        return read_document(content)

    def write(self, draft: Any, like: bytes) -> bytes:
        return write_document(draft, like)

    def proposals(self, draft: Any, old: Any, question: Question) -> Iterator[Proposal[Any]]:
        """First what mends the keyword that refuses, then what mends the schemas around it, from the inside to the root."""
        at = _Place(draft, old, question)
        if at.keyword:
            yield from _outside(at)
            yield from (_loosened(at) if at.backward else _restricted(at))
            yield from _rule_as_before(at)
        yield from _around(at)


class _Place:
    """Where a keyword refuses: `path` is its subschema, `new` and `old` what stands there (or MISSING)."""

    def __init__(self, draft: Any, old: Any, question: Question) -> None:
        self.draft, self.document, self.question = draft, old, question
        self.backward = question.direction is Direction.BACKWARD
        reader = draft if self.backward else old
        path = tokens_of(question.violation.path)
        self.subschemas = subschemas_on(reader, path)
        if len(self.subschemas) > 1 and self.subschemas[-2] == path[:-1] and path == self.subschemas[-1]:
            self.subschemas.pop()  # `not`, `additionalProperties` and the like: the keyword refuses, whatever is inside of it
        self.path = self.subschemas[-1]
        self.keyword = str(path[len(self.path)]) if len(path) > len(self.path) else ""
        self.new, self.old = value_at(draft, self.path), value_at(old, self.path)

    def member(self, keyword: str) -> tuple[Any, Any]:
        """What both sides say under a keyword, new and old; MISSING for none."""
        return (
            self.new.get(keyword, MISSING) if isinstance(self.new, dict) else MISSING,
            self.old.get(keyword, MISSING) if isinstance(self.old, dict) else MISSING,
        )

    def change(self, kind: FixKind, cost: str, *values: tuple[str, Any]) -> Proposal[Any]:
        """A proposal that sets keywords of the subschema; MISSING removes one. What the values refer to comes along."""
        steps: list[Operation] = []
        for keyword, value in values:
            path = (*self.path, keyword)
            if value is MISSING:
                steps.append(Operation("remove", path))
            else:
                steps += definitions_for(value, self.document, self.draft)
                steps.append(put(self.draft, path, value))
        return by_operations(kind, to_pointer((*self.path, values[-1][0])), cost, steps)


def _names(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(str(name)[:60]) for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _outside(at: _Place) -> Iterator[Proposal[Any]]:
    """When the subschema, or one around it, is new for a name: the name without rules, or without the name."""
    if not at.backward:
        return
    for place in at.subschemas[1:]:
        if value_at(at.document, place) is not MISSING:
            continue
        name, group = place[-1], place[:-1]
        if len(place) < 2 or place[-2] not in ("properties", "patternProperties"):
            return
        subschema = value_at(at.draft, place)
        kept = {k: subschema[k] for k in ANNOTATIONS if k in subschema} if isinstance(subschema, dict) else {}
        yield by_operations(
            K.DOCUMENT_ONLY,
            to_pointer(place),
            f"{str(name)[:60]!r} is documented and accepts any value, as in the earlier version, where data may hold anything under "
            "that name; readers check it themselves",
            [Operation("replace", place, kept)],
        )
        yield by_operations(
            K.LEAVE_OUT_MEMBER,
            to_pointer(place),
            f"{str(name)[:60]!r} is not declared yet",
            _without(at.draft, group[:-1], [str(name)], str(group[-1])),
        )
        return


def _without(draft: Any, path: Tokens, names: Sequence[str], group: str = "properties") -> list[Operation]:
    """Operations that take members out of an object's schema."""
    steps = [Operation("remove", (*path, group, name)) for name in names]
    required = value_at(draft, (*path, "required"))
    if group == "properties" and isinstance(required, list) and any(n in required for n in names):
        left = [n for n in required if n not in names]
        where = (*path, "required")
        steps.append(Operation("replace", where, left) if left else Operation("remove", where))
    return steps


def _values(member: tuple[Any, Any], const: tuple[Any, Any]) -> tuple[list[Any] | None, list[Any] | None]:
    """The values that both sides list, by enum or const."""
    both: list[list[Any] | None] = []
    for listed, single in zip(member, const, strict=True):
        if isinstance(listed, list) and len(listed) <= _MOST_VALUES:
            both.append(listed)
        else:
            both.append([single] if single is not MISSING and listed is MISSING else None)
    return both[0], both[1]


def _types(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _loosened(at: _Place) -> Iterator[Proposal[Any]]:
    """The new version reads: its keyword accepts what the earlier one accepts."""
    new, old = at.member(at.keyword)
    if at.keyword == "required" and isinstance(new, list):
        before = old if isinstance(old, list) else []
        fresh = [name for name in new if name not in before]
        if fresh:
            yield at.change(
                K.MAKE_OPTIONAL,
                f"readers cannot rely on {_names(fresh)}: earlier data may lack it",
                ("required", [name for name in new if name in before] or MISSING),
            )
        if fresh and at.question.apply_defaults:
            yield from _defaults(at, fresh)
    elif at.keyword in ("enum", "const"):
        mine, theirs = _values(at.member("enum"), at.member("const"))
        if mine is not None and theirs is not None:
            kept = [value for value in theirs if not any(_same(value, m) for m in mine)]
            values: list[tuple[str, Any]] = (
                [("const", MISSING)] if at.member("const")[0] is not MISSING else []
            )
            yield at.change(
                K.KEEP_VALUES,
                f"readers must still handle {_names(kept)}",
                *values,
                ("enum", [*mine, *kept]),
            )
    elif at.keyword == "type" and old is not MISSING:
        kinds = [*_types(new), *(kind for kind in _types(old) if kind not in _types(new))]
        kinds = [k for k in kinds if not (k == "integer" and "number" in kinds)]
        yield at.change(
            K.ACCEPT_BOTH,
            f"readers must handle {_names(_types(old))} as well as {_names(_types(new))}",
            ("type", kinds if len(kinds) > 1 else kinds[0]),
        )
    elif at.keyword in ("additionalProperties", "unevaluatedProperties") or at.keyword == "patternProperties":
        yield from _kept_properties(at)
    elif at.keyword in ("anyOf", "oneOf") and isinstance(new, list) and isinstance(old, list):
        more = [branch for branch in old if branch not in new]
        yield at.change(
            K.ACCEPT_BOTH,
            "alternatives that were removed or changed are still accepted; readers must handle them",
            (at.keyword, [*new, *more]),
        )


def _defaults(at: _Place, names: Sequence[str]) -> Iterator[Proposal[Any]]:
    steps = []
    for name in names:
        subschema = value_at(at.new, ("properties", name))
        if not isinstance(subschema, dict) or "default" in subschema:
            return
        values = subschema.get("enum")
        kinds = _types(subschema.get("type", "null"))
        zero: Any = {
            "string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {},
        }.get(str(kinds[0]))  # fmt: skip
        value = values[0] if isinstance(values, list) and values else subschema.get("const", zero)
        steps.append(Operation("add", (*at.path, "properties", name, "default"), value))
    yield by_operations(
        K.ADD_DEFAULT,
        to_pointer((*at.path, "properties")),
        f"readers see the default of {_names(names)} where earlier data lacks it",
        steps,
    )


def _kept_properties(at: _Place) -> Iterator[Proposal[Any]]:
    """Properties that only the earlier version declares, taken over."""
    new, old = at.member("properties")
    if not isinstance(old, dict):
        return
    have = new if isinstance(new, dict) else {}
    lost = {name: subschema for name, subschema in old.items() if name not in have}
    if lost:
        yield at.change(
            K.KEEP_MEMBER,
            f"{_names(list(lost))} stays in the schema; mark it as deprecated when nobody should use it any more",
            ("properties", {**have, **lost}),
        )


def _restricted(at: _Place) -> Iterator[Proposal[Any]]:
    """The earlier version reads: the new one allows no more than that accepts."""
    new, old = at.member(at.keyword)
    if at.new is MISSING:
        yield from _lost_part(at)
        return
    if at.keyword == "required" and isinstance(old, list):
        have = new if isinstance(new, list) else []
        fresh = [name for name in old if name not in have]
        steps: list[tuple[str, Any]] = []
        mine, theirs = (m if isinstance(m, dict) else {} for m in at.member("properties"))
        lost = {name: theirs[name] for name in fresh if name in theirs and name not in mine}
        if lost:
            steps.append(("properties", {**mine, **lost}))
        yield at.change(
            K.KEEP_REQUIRED,
            f"writers must go on sending {_names(fresh)}",
            *steps,
            ("required", [*have, *fresh]),
        )
    elif at.keyword in ("enum", "const"):
        mine_values, their_values = _values(at.member("enum"), at.member("const"))
        if mine_values is not None and their_values is not None:
            kept = [v for v in mine_values if any(_same(v, t) for t in their_values)]
            left = [v for v in mine_values if v not in kept]
            gone: list[tuple[str, Any]] = [("const", MISSING)] if at.member("const")[0] is not MISSING else []
            if kept and left:
                yield at.change(
                    K.LEAVE_OUT_VALUES,
                    f"{_names(left)} cannot be written until the readers know it",
                    *gone,
                    ("enum", kept),
                )
    elif at.keyword == "type" and new is not MISSING:
        kinds = [k for k in _types(new) if k in _types(old) or (k == "integer" and "number" in _types(old))]
        if kinds:
            yield at.change(
                K.KEEP_TO_BOTH,
                f"only {_names(kinds)} is written, which the earlier version reads",
                ("type", kinds if len(kinds) > 1 else kinds[0]),
            )
    elif at.keyword in ("additionalProperties", "unevaluatedProperties") and isinstance(at.new, dict):
        mine, theirs = at.member("properties")
        declared = theirs if isinstance(theirs, dict) else {}
        fresh = [name for name in mine if name not in declared] if isinstance(mine, dict) else []
        if fresh:
            yield by_operations(
                K.LEAVE_OUT_MEMBER,
                to_pointer((*at.path, "properties")),
                f"{_names(fresh)} is not declared yet: the readers that are there refuse it",
                _without(at.draft, at.path, fresh),
            )
    elif at.keyword in ("anyOf", "oneOf") and isinstance(new, list) and isinstance(old, list):
        kept = [branch for branch in new if branch in old]
        if kept and len(kept) < len(new):
            yield at.change(
                K.LEAVE_OUT_VALUES,
                "alternatives that are new or changed are left out until the readers know them",
                (at.keyword, kept),
            )


def _lost_part(at: _Place) -> Iterator[Proposal[Any]]:
    """What the new version dropped, taken over as it was."""
    for place in at.subschemas[1:]:
        if value_at(at.draft, place) is not MISSING:
            continue
        part = value_at(at.document, place)
        group = place[:-1]
        steps = definitions_for(part, at.document, at.draft)
        if value_at(at.draft, group) is MISSING:
            if value_at(at.draft, group[:-1]) is MISSING:
                return
            steps.append(Operation("add", group, {}))
        if not isinstance(value_at(at.draft, group), list):
            steps.append(Operation("add", place, part))
            yield by_operations(
                K.KEEP_MEMBER,
                to_pointer(place),
                f"{str(place[-1])[:60]!r} stays in the schema with the rules that the readers have for it",
                steps,
            )
        return


def _rule_as_before(at: _Place) -> Iterator[Proposal[Any]]:
    if not isinstance(at.new, dict):
        return
    new, old = at.member(at.keyword)
    if new is MISSING and old is MISSING:
        return
    if old is MISSING:
        cost = f"data is not checked by {at.keyword!r} here; readers check it themselves"
    else:
        cost = f"{at.keyword!r} is as it was here; the stricter or wider rule waits for another version"
    yield at.change(K.KEEP_RULE, cost, (at.keyword, old))


def _around(at: _Place) -> Iterator[Proposal[Any]]:
    """The schemas around, from the inside: both accepted (or demanded) together, or the part as it was."""
    inside = at.subschemas[:0:-1][:_MOST_AROUND]
    for place in (*inside, ()):
        new, old = value_at(at.draft, place), value_at(at.document, place)
        if new is MISSING or old is MISSING or not isinstance(new, dict | bool) or new == old:
            continue
        if not at.question.both:
            yield from _joined(at, place, new, old)
        if not place and at.question.both and isinstance(new, dict) and isinstance(old, dict):
            texts = {k: v for k, v in new.items() if k in ANNOTATIONS}
            part = {**{k: v for k, v in old.items() if k not in ANNOTATIONS}, **texts}
            cost = "the whole document is as it was but for its texts"
            yield by_operations(K.KEEP_PART, "", cost, [Operation("replace", (), part)])
        elif place:
            yield by_operations(
                K.KEEP_PART,
                to_pointer(place),
                f"{to_pointer(place)[:100]} is as it was; its change waits for another version",
                [*definitions_for(old, at.document, at.draft), put(at.draft, place, old)],
            )


def _joined(at: _Place, place: Tokens, new: Any, old: Any) -> Iterator[Proposal[Any]]:
    keyword = "anyOf" if at.backward else "allOf"
    kind = K.ACCEPT_BOTH if at.backward else K.KEEP_TO_BOTH
    where = to_pointer(place)[:100] or "the whole document"
    cost = (
        f"readers must handle both forms of {where}: the new one and the earlier one"
        if at.backward
        else f"writers keep {where} to what both versions accept"
    )
    head: dict[str, Any] = {}
    if isinstance(new, dict):
        words = _ROOT_WORDS if not place else ("title", "description")
        head = {k: v for k, v in new.items() if k in words}
        new = {k: v for k, v in new.items() if k not in words}
    if isinstance(old, dict):
        old = {k: v for k, v in old.items() if k not in _ROOT_WORDS} if not place else old
    old, needed = earlier_part(old, at.document, at.draft)
    if isinstance(new, dict) and [*new] == [keyword] and old in new[keyword]:
        return  # they are joined already, for another violation
    steps = [Operation("replace", place, {**head, keyword: [new, old]}), *needed]
    yield by_operations(kind, to_pointer(place), cost, steps)
