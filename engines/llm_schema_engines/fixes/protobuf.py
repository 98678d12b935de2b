"""Candidates of edits for a Protobuf schema, made in its text, so that comments and order stay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model.compatibility import Direction
from .language import Proposal, Question
from .model import FixEdit, FixKind
from .proto_text import ProtoText, Statement, proto_text

K = FixKind
_IMPLEMENTATION = range(19_000, 20_000)
"""Field numbers that belong to protobuf itself."""
_MOST_TYPES = 10


class ProtobufLanguage:
    """language.Language for Protobuf; a draft is the text."""

    def open(self, content: bytes) -> str:
        return content.decode("utf-8")

    def write(self, draft: str, like: bytes) -> bytes:
        return draft.encode()

    def proposals(self, draft: str, old: str, question: Question) -> Iterator[Proposal[str]]:
        at = _Place(proto_text(draft), proto_text(old), question)
        rule = question.violation.rule
        if rule.startswith("FILE_SAME_"):
            yield from _file_option(at)
            return
        if rule == "CLOSED_ENUM_VALUE_UNKNOWN":
            yield from _closed_values(at)
        elif rule.startswith("RESERVED_"):
            yield from _reserved_again(at)
        elif at.new is not None and at.new.kind == "oneof":
            yield from _out_of_oneof(at, at.new)
        elif rule == "MESSAGE_SAME_REQUIRED_FIELDS" and at.new is not None and at.new.kind == "message":
            yield from _required(at, at.new)
        elif at.old is not None and at.new is None:
            yield from _put_back(at)
        elif at.new is not None and at.old is None:
            yield from _left_out(at)
        elif at.new is not None and at.old is not None and at.new.kind == at.old.kind != "message":
            yield from _changed(at)
        yield from _around(at)


class _Place:
    """What a violation is about: the statement in the draft and in the earlier schema, None where there is none."""

    def __init__(self, draft: ProtoText, document: ProtoText, question: Question) -> None:
        self.draft, self.document, self.question = draft, document, question
        self.backward = question.direction is Direction.BACKWARD
        self.path = question.violation.path
        self.new, self.old = _find(draft, self.path), _find(document, self.path)
        if self.new is None and self.old is not None:
            self.new = self._twin(document, self.old, draft)
        elif self.old is None and self.new is not None:
            self.old = self._twin(draft, self.new, document)

    @staticmethod
    def _twin(here: ProtoText, statement: Statement, there: ProtoText) -> Statement | None:
        """What has the same number in the same message or enumeration."""
        if statement.number is None or statement.scope is None:
            return None
        scope = there.named.get(here.full_name(statement.scope))
        return there.by_number(scope, statement.number, statement.kind) if scope is not None else None

    def change(self, kind: FixKind, cost: str, apply: Callable[[ProtoText], str | None]) -> Proposal[str]:
        def edited(draft: str) -> str | None:
            return apply(proto_text(draft))

        return Proposal(FixEdit(kind, self.path, cost), edited)


def _find(document: ProtoText, path: str) -> Statement | None:
    """The statement of a full name; for a part of a map's entry the map's field."""
    found = document.named.get(path)
    if found is not None or not path.endswith(("Entry.key", "Entry.value")):
        return found
    scope, _, entry = path.rpartition(".")[0].rpartition(".")
    message = document.named.get(scope)
    for member in document.members(message) if message is not None else ():
        words = member.name.split("_")
        if member.kind == "field" and "".join(w[:1].upper() + w[1:] for w in words) + "Entry" == entry:
            return member
    return None


def _put_back(at: _Place) -> Iterator[Proposal[str]]:
    """What the earlier version has and the new one lacks."""
    old = at.old
    if old is None:
        return
    name = old.name[:60]
    if old.kind in ("field", "value") and at.backward:
        yield at.change(
            K.RESERVE,
            f"the number {old.number} and the name {name!r} can never be used again; readers drop what earlier data holds there",
            lambda draft: _reserve(draft, at.document, old),
        )
    yield at.change(
        K.KEEP_VALUES if old.kind == "value" else K.KEEP_MEMBER,
        f"{name!r} stays in the schema; mark it `deprecated = true` when nobody should use it any more",
        lambda draft: _with_statement(draft, at.document, old),
    )


def _reserve(draft: ProtoText, document: ProtoText, old: Statement) -> str | None:
    scope = draft.named.get(document.full_name(old.scope)) if old.scope is not None else None
    if scope is None:
        return None
    name = old.name if draft.editions else f'"{old.name}"'
    return draft.inside(scope, [f"reserved {old.number};", f"reserved {name};"])


def _with_statement(draft: ProtoText, document: ProtoText, old: Statement) -> str | None:
    """The draft with a statement of the earlier version, in the same message, and with the types that it names."""
    scope: Statement | None = None
    if old.parent is not None:
        named = document.full_name(old.parent)
        scope = draft.named.get(named)
        if scope is None and old.parent.kind == "oneof" and old.scope is not None:
            scope = draft.named.get(document.full_name(old.scope))
        if scope is None:
            return None
    return _with_types(proto_text(draft.inside(scope, [document.of(old)])), document, old)


def _with_types(draft: ProtoText, document: ProtoText, part: Statement) -> str:
    """The draft with the messages and enumerations that a part of the earlier version names and the draft lacks."""
    pending, count = [part], 0
    while pending and count < _MOST_TYPES:
        statement = pending.pop()
        pending += statement.children
        scope = document.full_name(statement.scope) if statement.scope is not None else document.package
        for word in statement.words[:3]:
            found = document.resolve(word, scope)
            if found is None or document.full_name(found) in draft.named:
                continue
            above = draft.named.get(document.full_name(found.scope)) if found.scope is not None else None
            draft = proto_text(draft.inside(above, [document.of(found)]))
            pending.append(found)
            count += 1
    return draft.text


def _left_out(at: _Place) -> Iterator[Proposal[str]]:
    """What only the new version has, and the comparison refuses."""
    new = at.new
    if new is None:
        return
    if new.label == "required":
        yield at.change(
            K.MAKE_OPTIONAL,
            f"readers cannot rely on {new.name[:60]!r}: earlier data lacks it",
            lambda draft: _relabelled(draft, new.name, at.path),
        )
    yield at.change(
        K.LEAVE_OUT_MEMBER,
        f"{new.name[:60]!r} is not declared yet",
        lambda draft: draft.without(draft.named[at.path]) if at.path in draft.named else None,
    )


def _relabelled(draft: ProtoText, name: str, path: str) -> str | None:
    statement = draft.named.get(path)
    if statement is None or statement.label != "required":
        return None
    return draft.text[: statement.start] + "optional" + draft.text[statement.start + len("required") :]


def _changed(at: _Place) -> Iterator[Proposal[str]]:
    """A field, value or method that both versions have."""
    new, old = at.new, at.old
    if new is None or old is None:
        return
    path, name = at.draft.full_name(new), new.name[:60]
    if new.label == "required" != old.label:
        yield at.change(
            K.MAKE_OPTIONAL,
            f"readers cannot rely on {name!r}: earlier data may lack it",
            lambda draft: _relabelled(draft, new.name, path),
        )
    if new.kind == "field" and new.spots and not (new.children or new.body[1]):
        yield at.change(
            K.NEW_NUMBER,
            f"{old.name[:60]!r} stays as it was, and the new field stands beside it under another name and number; writers fill both until "
            "nobody reads the earlier one",
            lambda draft: _beside(draft, at.document, path, old),
        )
    yield at.change(
        K.KEEP_PART,
        f"{old.name[:60]!r} is as it was; its change waits for another version",
        lambda draft: _as_before(draft, at.document, path, old),
    )


def _as_before(draft: ProtoText, document: ProtoText, path: str, old: Statement) -> str | None:
    statement = draft.named.get(path)
    if statement is None:
        return None
    return _with_types(proto_text(draft.instead(statement, document.of(old))), document, old)


def _beside(draft: ProtoText, document: ProtoText, path: str, old: Statement) -> str | None:
    statement = draft.named.get(path)
    if statement is None or statement.scope is None or len(statement.spots) != 2:
        return None
    taken = [
        s
        for text in (draft, document)
        for s in text.members(text.named.get(draft.full_name(statement.scope)))
    ]
    number = max([s.number or 0 for s in taken] + [_last_reserved(s) for s in taken]) + 1
    if number in _IMPLEMENTATION:
        number = _IMPLEMENTATION.stop
    names = {s.name for s in taken}
    base = statement.name if statement.name != old.name else f"{statement.name}_2"
    name = base
    while (name in names and name != statement.name) or name == old.name:
        name += "_2"
    (name_start, name_end), (number_start, number_end) = statement.spots
    text = draft.text
    fresh = (
        text[statement.lead : name_start]
        + name
        + text[name_end:number_start]
        + str(number)
        + text[number_end : statement.end]
    )
    line = text.rfind("\n", 0, statement.start) + 1
    indent = text[line : statement.start]
    between = f"\n{indent}" if not indent.strip() and line else " "
    pair = document.of(old) + between + fresh
    return _with_types(proto_text(draft.instead(statement, pair)), document, old)


def _last_reserved(statement: Statement) -> int:
    if statement.kind not in ("reserved", "extensions"):
        return 0
    numbers = [int(word) for word in statement.words if word.isdigit()]
    return max(numbers, default=0)


def _out_of_oneof(at: _Place, new: Statement) -> Iterator[Proposal[str]]:
    """Fields that were no members of a oneof stand outside of it, as before."""
    path = at.draft.full_name(new)
    scope = at.document.named.get(at.draft.full_name(new.scope)) if new.scope is not None else None
    before = {s.number: s.parent.name if s.parent is not None else "" for s in at.document.members(scope)}
    out = [f.name for f in new.children if f.kind == "field" and before.get(f.number, new.name) != new.name]

    def apply(draft: ProtoText) -> str | None:
        oneof = draft.named.get(path)
        if oneof is None or oneof.scope is None:
            return None
        moving = [f for f in oneof.children if f.name in out]
        pieces = [draft.of(f) for f in moving]
        scope = draft.full_name(oneof.scope)
        if len(moving) == len([f for f in oneof.children if f.kind == "field"]):
            draft = proto_text(draft.without(oneof))
        else:
            for name in out:
                draft = proto_text(draft.without(draft.named[f"{scope}.{name}"]))
        return draft.inside(draft.named[scope], pieces)

    if out:
        shown = ", ".join(repr(name[:60]) for name in out[:5])
        yield at.change(
            K.KEEP_PART, f"{shown} stand outside of the oneof as before: writers set only one of them", apply
        )


def _required(at: _Place, new: Statement) -> Iterator[Proposal[str]]:
    """The message requires no more than before."""
    if at.old is None:
        return
    before = {s.number for s in at.document.members(at.old) if s.label == "required"}
    more = [s for s in at.draft.members(new) if s.label == "required" and s.number not in before]

    def apply(draft: ProtoText) -> str | None:
        for statement in more:
            text = _relabelled(draft, statement.name, f"{at.path}.{statement.name}")
            if text is None:
                return None
            draft = proto_text(text)
        return draft.text

    if more:
        shown = ", ".join(repr(s.name[:60]) for s in more[:5])
        yield at.change(K.MAKE_OPTIONAL, f"readers cannot rely on {shown}: earlier data may lack it", apply)


def _closed_values(at: _Place) -> Iterator[Proposal[str]]:
    """An enumeration whose values one side does not know."""
    name = at.question.violation.old_value.partition(":")[0]
    new, old = at.draft.named.get(name), at.document.named.get(name)
    if new is None or old is None:
        return
    mine, theirs = ({v.name: v for v in s.children if v.kind == "value"} for s in (new, old))
    missing = [v for n, v in theirs.items() if n not in mine]
    if at.backward and missing:
        yield at.change(
            K.KEEP_VALUES,
            "readers must still handle " + ", ".join(repr(v.name[:60]) for v in missing[:5]),
            lambda draft: draft.inside(draft.named[name], [at.document.of(v) for v in missing]),
        )
    extra = [v.name for n, v in mine.items() if n not in theirs]
    if not at.backward and extra:

        def without(draft: ProtoText) -> str | None:
            for value in extra:
                statement = draft.named.get(f"{name}.{value}")
                if statement is None:
                    return None
                draft = proto_text(draft.without(statement))
            return draft.text

        yield at.change(
            K.LEAVE_OUT_VALUES,
            ", ".join(repr(n[:60]) for n in extra[:5]) + " cannot be written until the readers know it",
            without,
        )


def _reserved_again(at: _Place) -> Iterator[Proposal[str]]:
    if at.old is None or at.new is None:
        return
    have = {at.draft.of(s) for s in at.new.children if s.kind == "reserved"}
    lost = [at.document.of(s) for s in at.old.children if s.kind == "reserved"]
    lost = [text for text in lost if text not in have]
    if at.backward and lost:
        yield at.change(
            K.RESERVE,
            "numbers and names that were reserved stay so",
            lambda draft: draft.inside(draft.named[at.path], lost) if at.path in draft.named else None,
        )


def _file_option(at: _Place) -> Iterator[Proposal[str]]:
    """The package, the syntax or an option of the file as it was."""
    rule = at.question.violation.rule
    kind = {"FILE_SAME_PACKAGE": "package", "FILE_SAME_SYNTAX": "syntax"}.get(rule, "option")

    def found(document: ProtoText) -> Statement | None:
        kinds = ("syntax", "edition") if kind == "syntax" else (kind,)
        named = at.path if kind == "option" else None
        return next(
            (s for s in document.statements if s.kind in kinds and (named is None or s.name == named)), None
        )

    old = found(at.document)

    def apply(draft: ProtoText) -> str | None:
        new = found(draft)
        if old is None:
            return draft.without(new) if new is not None else None
        text = at.document.text[old.start : old.end]
        if new is not None:
            return draft.instead(new, text)
        head = [s for s in draft.statements if s.kind in ("syntax", "edition", "package", "import", "option")]
        if not head:
            return text + "\n" + draft.text
        return draft.text[: head[-1].end] + "\n" + text + draft.text[head[-1].end :]

    what = f"the option {at.path}" if kind == "option" else f"the {kind}"
    yield at.change(K.KEEP_RULE, f"{what} is as it was", apply)


def _around(at: _Place) -> Iterator[Proposal[str]]:
    """The message, enumeration or service around it as it was, from the inside."""
    path = at.path
    while path:
        old = at.document.named.get(path)
        if old is not None and path in at.draft.named and old.kind in ("message", "enum", "service"):
            yield at.change(
                K.KEEP_PART,
                f"{old.kind} {old.name[:60]!r} is as it was; its change waits for another version",
                lambda draft, path=path, old=old: _as_before(draft, at.document, path, old),  # type: ignore[misc]
            )
        path = path.rpartition(".")[0]
