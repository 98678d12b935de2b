"""Candidates of edits for an Avro schema. Schema resolution decides which of them help. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..formats.json_schema.pointers import to_pointer
from ..model.compatibility import Direction
from .avro_places import AvroDocument, counterpart, full_name, kind_of, moved
from .documents import MISSING, Operation, Tokens, put, read_document, value_at, write_document
from .language import Proposal, Question, by_operations
from .model import FixKind
from .schema_places import tokens_of

K = FixKind
_ZERO: Mapping[str, Any] = {
    "null": None, "boolean": False, "int": 0, "long": 0, "float": 0, "double": 0, "bytes": "", "string": "", "array": [], "map": {},
}  # fmt: skip
_RULE_WORDS = ("size", "logicalType", "precision", "scale")


class AvroLanguage:
    """language.Language for Avro."""

    def open(self, content: bytes) -> Any:
        return read_document(content)

    def write(self, draft: Any, like: bytes) -> bytes:
        return write_document(draft, like)

    def proposals(self, draft: Any, old: Any, question: Question) -> Iterator[Proposal[Any]]:
        at = _Place(draft, old, question)
        if not at.found:
            return
        rule = question.violation.rule
        candidates = (_BACKWARD if at.backward else _FORWARD).get(rule)
        if candidates is not None:
            yield from candidates(at)
        yield from _part_as_before(at)


class _Place:
    """The type that a violation is about: `here` in the draft, `there` in the earlier schema; `tail` is the rest of the path, below
    the type."""

    def __init__(self, draft: Any, old: Any, question: Question) -> None:
        self.draft, self.document = AvroDocument(draft), AvroDocument(old)
        self.backward = question.direction is Direction.BACKWARD
        path = tokens_of(question.violation.path)
        self.tail: Tokens = ()
        rule = question.violation.rule
        if rule == "AVRO_FIELD_DEFAULT_MISSING":
            path, self.tail = path[:-2], path[-2:]
        elif rule == "AVRO_FIELD_ALIAS_AMBIGUOUS":
            path, self.tail = path[:-3], path[-3:]
        elif path and path[-1] in ("name", "symbols", *_RULE_WORDS):
            path, self.tail = path[:-1], path[-1:]
        self.path = path
        reader, writer = (self.draft, self.document) if self.backward else (self.document, self.draft)
        mine = reader.located(path)
        theirs = counterpart(reader, writer, path)
        self.found = mine is not None and theirs is not None
        places = (mine or (), theirs or ())
        self.here, self.there = places if self.backward else places[::-1]

    @property
    def new(self) -> Any:
        """The type in the draft; a name stands for what it refers to."""
        return self.draft.at(self.draft.target(self.here))

    @property
    def old(self) -> Any:
        return self.document.at(self.document.target(self.there))

    def change(self, kind: FixKind, cost: str, tail: Tokens, value: Any) -> Proposal[Any]:
        """Sets a member of the type in the draft."""
        path = (*self.draft.target(self.here), *tail)
        if value is MISSING:
            return by_operations(kind, to_pointer(path), cost, [Operation("remove", path)])
        return by_operations(kind, to_pointer(path), cost, [put(self.draft.root, path, value)])


def _shown(node: Any) -> str:
    if isinstance(node, list):
        return (
            "[" + ", ".join(_shown(branch) for branch in node[:6]) + (", ..." if len(node) > 6 else "") + "]"
        )
    name = node.get("name") if isinstance(node, dict) else None
    return f"{kind_of(node)} {name}" if name else kind_of(node)


def _new_field(at: _Place) -> Iterator[Proposal[Any]]:
    """A field that earlier data does not have."""
    index = int(at.tail[1])
    member = value_at(at.new, ("fields", index))
    if not isinstance(member, dict):
        return
    name, kind = str(member.get("name"))[:60], member.get("type")
    branches = kind if isinstance(kind, list) else [kind]
    path = (*at.draft.target(at.here), "fields", index)
    nullable = ["null", *(b for b in branches if b != "null")]
    yield by_operations(
        K.MAKE_OPTIONAL,
        to_pointer(path),
        f"{name!r} may be null: readers get null for earlier data",
        [Operation("replace", (*path, "type"), nullable), Operation("add", (*path, "default"), None)],
    )
    zero = _zero(at.draft, branches[0], (*path, "type", 0) if isinstance(kind, list) else (*path, "type"))
    if zero is not MISSING:
        yield by_operations(
            K.ADD_DEFAULT,
            to_pointer(path),
            f"readers get {zero!r} as {name!r} of earlier data and cannot tell it from a value that was written",
            [Operation("add", (*path, "default"), zero)],
        )
    renamed = _renamed(at, member)
    if renamed:
        yield by_operations(
            K.ADD_ALIAS,
            to_pointer(path),
            f"the earlier field {renamed!r} is read as {name!r}: right only if it was renamed",
            [Operation("add", (*path, "aliases"), [*(member.get("aliases") or []), renamed])],
        )


def _zero(document: AvroDocument, node: Any, path: Tokens) -> Any:
    target = document.at(document.target(path)) if isinstance(node, str) else node
    kind = kind_of(target)
    if kind == "enum" and isinstance(target, dict) and target.get("symbols"):
        return target["symbols"][0]
    if kind == "fixed" and isinstance(target, dict) and isinstance(target.get("size"), int):
        return "\0" * target["size"] if target["size"] <= 64 else MISSING
    return _ZERO.get(kind, MISSING)


def _renamed(at: _Place, member: dict[str, Any]) -> str:
    """The only field of the same type that is gone, if there is one."""
    have = {f.get("name") for f in at.new.get("fields", []) if isinstance(f, dict)}
    old = at.old.get("fields", []) if isinstance(at.old, dict) else []
    gone = [f for f in old if isinstance(f, dict) and f.get("name") not in have]
    same = [f for f in gone if f.get("type") == member.get("type")]
    return str(same[0]["name"]) if len(same) == 1 and "name" in same[0] else ""


def _lost_field(at: _Place) -> Iterator[Proposal[Any]]:
    """A field that the readers need and the new version does not write."""
    member = value_at(at.old, at.tail)
    fields = value_at(at.new, ("fields",))
    if not isinstance(member, dict) or not isinstance(fields, list):
        return
    place = (*at.document.target(at.there), *at.tail, "type")
    place = tuple(int(t) if isinstance(t, str) and t.isdigit() else t for t in place)
    kept = {**member, "type": moved(at.document, place, at.draft, None)}
    path = (*at.draft.target(at.here), "fields", len(fields))
    yield by_operations(
        K.KEEP_MEMBER,
        to_pointer(path),
        f"{str(member.get('name'))[:60]!r} is still written; it can go when no reader needs it, or has a default for it",
        [Operation("add", path, kept)],
    )


def _symbols(at: _Place) -> tuple[list[Any], list[Any]]:
    new, old = value_at(at.new, ("symbols",)), value_at(at.old, ("symbols",))
    return (new if isinstance(new, list) else []), (old if isinstance(old, list) else [])


def _lost_symbols(at: _Place) -> Iterator[Proposal[Any]]:
    new, old = _symbols(at)
    lost = [symbol for symbol in old if symbol not in new]
    shown = ", ".join(map(repr, lost[:5]))
    yield at.change(K.KEEP_VALUES, f"readers must still handle {shown}", ("symbols",), [*new, *lost])
    if new:
        yield at.change(
            K.ADD_DEFAULT, f"readers get {new[0]!r} where earlier data holds {shown}", ("default",), new[0]
        )


def _new_symbols(at: _Place) -> Iterator[Proposal[Any]]:
    new, old = _symbols(at)
    kept = [symbol for symbol in new if symbol in old]
    fresh = ", ".join(repr(s) for s in new if s not in old)[:200]
    if kept:
        yield at.change(
            K.LEAVE_OUT_VALUES, f"{fresh} cannot be written until the readers know it", ("symbols",), kept
        )


def _other_name(at: _Place) -> Iterator[Proposal[Any]]:
    target = at.document.target(at.there)
    if not isinstance(at.old, dict) or not isinstance(at.new, dict):
        return
    name = full_name(at.old, at.document.spaces.get(target, ""))
    if at.backward:
        yield at.change(
            K.ADD_ALIAS,
            f"data of the earlier {name!r} is read as {at.new.get('name')!r}",
            ("aliases",),
            [*(at.new.get("aliases") or []), name],
        )
    path = (*at.draft.target(at.here), "name")
    steps = [put(at.draft.root, path, name)]
    if "namespace" in at.new:
        steps.append(Operation("remove", (*path[:-1], "namespace")))
    yield by_operations(K.KEEP_RULE, to_pointer(path), f"the type is called {name!r} as before", steps)


def _ambiguous(at: _Place) -> Iterator[Proposal[Any]]:
    yield at.change(K.KEEP_RULE, "the field is read by its own name only", tuple(_numbers(at.tail)), MISSING)


def _numbers(path: Tokens) -> Iterator[str | int]:
    for token in path:
        yield int(token) if isinstance(token, str) and token.isdigit() else token


def _union(at: _Place) -> Iterator[Proposal[Any]]:
    """The new version reads a type that it does not have."""
    new, old = at.draft.at(at.here), moved(at.document, at.there, at.draft, None)
    mine = new if isinstance(new, list) else [new]
    theirs = old if isinstance(old, list) else [old]
    kinds = {_branch_key(branch) for branch in mine}
    more = [branch for branch in theirs if _branch_key(branch) not in kinds]
    if more:
        yield by_operations(
            K.ACCEPT_BOTH,
            to_pointer(at.here),
            f"readers must handle {_shown(more if len(more) > 1 else more[0])} as well",
            [Operation("replace", at.here, [*mine, *more])],
        )


def _branch_key(branch: Any) -> str:
    return f"{kind_of(branch)} {branch.get('name') if isinstance(branch, dict) else ''}"


def _narrowed(at: _Place) -> Iterator[Proposal[Any]]:
    """The new version writes a type that the readers do not have."""
    new, old = at.draft.at(at.here), at.document.at(at.there)
    theirs = {_branch_key(branch) for branch in (old if isinstance(old, list) else [old])}
    if isinstance(new, list):
        kept = [branch for branch in new if _branch_key(branch) in theirs]
        if kept and len(kept) < len(new):
            yield by_operations(
                K.LEAVE_OUT_VALUES,
                to_pointer(at.here),
                f"only {_shown(kept)} is written until the readers know the rest",
                [Operation("replace", at.here, kept)],
            )


def _rule(at: _Place) -> Iterator[Proposal[Any]]:
    """A size or a logical type as it was."""
    if not isinstance(at.new, dict):
        return
    steps = []
    target = at.draft.target(at.here)
    for word in _RULE_WORDS:
        old = at.old.get(word, MISSING) if isinstance(at.old, dict) else MISSING
        if old is MISSING and word in at.new:
            steps.append(Operation("remove", (*target, word)))
        elif old is not MISSING and at.new.get(word, MISSING) != old:
            steps.append(put(at.draft.root, (*target, word), old))
    if steps:
        yield by_operations(
            K.KEEP_RULE, to_pointer(target), "size and logical type are as they were here", steps
        )


def _part_as_before(at: _Place) -> Iterator[Proposal[Any]]:
    """The type as it was, then the types of the fields around it."""
    places = [(at.here, at.there)]
    reader, writer = (at.draft, at.document) if at.backward else (at.document, at.draft)
    for end in range(len(at.path) - 1, 0, -1):
        if at.path[end] == "type" or at.path[end - 1] in ("items", "values"):
            mine, theirs = reader.located(at.path[:end]), counterpart(reader, writer, at.path[:end])
            if mine is not None and theirs is not None:
                places.append((mine, theirs) if at.backward else (theirs, mine))
    for here, there in places:
        part = moved(at.document, there, at.draft, here)
        if part != at.draft.at(here):
            yield by_operations(
                K.KEEP_PART,
                to_pointer(here),
                f"{to_pointer(here)[:100] or 'the whole schema'} is {_shown(part)} as before; its change waits for another version",
                [Operation("replace", here, part)],
            )


_Candidates = Mapping[str, Callable[[_Place], Iterator[Proposal[Any]]]]
_BACKWARD: _Candidates = {
    "AVRO_FIELD_DEFAULT_MISSING": _new_field,
    "AVRO_ENUM_SYMBOL_MISSING": _lost_symbols,
    "AVRO_NAME_MISMATCH": _other_name,
    "AVRO_FIELD_ALIAS_AMBIGUOUS": _ambiguous,
    "AVRO_TYPE_MISMATCH": _union,
    "AVRO_UNION_BRANCH_MISSING": _union,
    "AVRO_FIXED_SIZE_MISMATCH": _rule,
    "AVRO_DECIMAL_MISMATCH": _rule,
    "AVRO_LOGICAL_TYPE_MISMATCH": _rule,
}
_FORWARD: _Candidates = {
    "AVRO_FIELD_DEFAULT_MISSING": _lost_field,
    "AVRO_ENUM_SYMBOL_MISSING": _new_symbols,
    "AVRO_NAME_MISMATCH": _other_name,
    "AVRO_TYPE_MISMATCH": _narrowed,
    "AVRO_UNION_BRANCH_MISSING": _narrowed,
    "AVRO_FIXED_SIZE_MISMATCH": _rule,
    "AVRO_DECIMAL_MISMATCH": _rule,
    "AVRO_LOGICAL_TYPE_MISMATCH": _rule,
}
