"""Judges a JSON document while it arrives: may what has come so far still become a valid document? Pure.

A pushdown automaton over the text: a stack of open containers, each with the state of its value (see states). What it keeps is
the open containers with the names that they have, and of a string as much as its checks need. Arrays and objects under
`uniqueItems` or a list of values are kept until they are complete.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

from ..formats.json_schema.pointers import shown_pointer
from ..formats.json_schema.rewriting import plain
from ..formats.json_schema.undeclared import DeclaredState
from .explaining import Reason, explain_close, explain_item, explain_name, explain_value
from .nodes import ARRAY, NUMBER, OBJECT, STRING
from .schema import StreamingSchema
from .states import NO_LINK, Items, Link, Members, State, Step
from .text import (
    AFTER,
    BODY,
    ESCAPE_PART,
    KEY,
    LITERALS,
    NUMBER_PART,
    SPACE,
    TEXT,
    WHOLE_NUMBER,
    LoneSurrogate,
    decode,
    decode_beginning,
    held_back,
)
from .text import NUMBER as NUMBER_TOKEN
from .verdict import StreamError, StreamStatus

_VALUE, _FIRST_KEY, _KEY, _COLON, _AFTER, _FIRST_ITEM, _END = range(7)
"""What is expected next."""

_VIABLE, _COMPLETE, _DEAD = StreamStatus.VIABLE, StreamStatus.COMPLETE, StreamStatus.DEAD
_LONG_NUMBER = 16
"""Characters up to which orjson reads a number without loss."""
_BEYOND_DOUBLES = 308
"""From this decimal exponent on a number may fit no double."""
_BEYOND = 1 << 62
_SHOWN = 60


class Frame:
    """An open array or object. `own`: the nodes of its state that have failed by their own keywords."""

    __slots__ = (
        "cap",
        "count",
        "counts",
        "declared",
        "irrelevant",
        "is_object",
        "items",
        "key",
        "link",
        "members",
        "own",
        "parts",
        "present",
        "seen",
        "state",
        "step",
        "value",
    )

    members: Members
    items: Items
    step: Step

    def __init__(self, state: State, link: Link, own: int, is_object: bool, value: Any) -> None:
        self.state, self.link, self.own, self.is_object, self.value = state, link, own, is_object, value
        self.irrelevant = state.losses(own).irrelevant
        self.count = self.present = 0
        self.key = ""
        self.counts: dict[int, int] | None = None
        self.parts: list[tuple[int, int]] | None = None
        self.declared: DeclaredState | None = None
        if is_object:
            self.seen: set[str] = set()
            self.members = state.members(self.irrelevant)
            self.cap = state.fewest_most_properties
            if state.unevaluated_properties:
                self.parts = []
        else:
            self.items = state.items(self.irrelevant)
            self.cap = state.fewest_most_items
            if state.contains:
                self.counts = {}
            if state.unevaluated_items:
                self.parts = []


class _Dead(Exception):
    def __init__(self, error: StreamError) -> None:
        super().__init__(error)
        self.error = error


class DocumentStream:
    """One document. Feed it the bytes as they come, cut anywhere, then `end`.

    strict: also refuse what the schema does not declare. keep: build the value, for `value` and `partial`. alone: refuse what
    comes after the document; otherwise it is not looked at.
    A name that occurs twice in an object is refused, whatever `strict` says.
    """

    def __init__(
        self, schema: StreamingSchema, *, strict: bool = False, keep: bool = False, alone: bool = True
    ) -> None:
        self._schema = schema
        self._limits = schema.limits
        self.status: StreamStatus = _VIABLE if schema.reason == "" else StreamStatus.INDETERMINATE
        self.reason = schema.reason
        """Why the document is INDETERMINATE; "" when it is not."""
        self.error: StreamError | None = None
        self.length = 0
        """Bytes of a complete document, without white space after it."""
        self.value: Any = None
        """The value of a complete document, when it was to be kept."""
        self.frames: list[Frame] = []
        self._root = Step(schema.automaton.root, NO_LINK, 0, 0, 0)
        self._strict = strict
        self._declared = schema.declarations().root if strict and not schema.reason else None
        self._keep = keep
        self._alone = alone
        self._whole: list[bytes] | None = [] if schema.reason else None
        self._expect = _VALUE
        self._received = 0
        self._base = 0  # the byte at which the text that is looked at begins
        self._bytes = b""  # the beginning of a character
        self._rest = ""  # the beginning of a number, a literal or an escape
        self._string: list[str] | None = None  # the pieces of an open string
        self._string_length = 0
        self._string_head = ""
        self._is_key = False

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self._received

    def feed(self, chunk: bytes) -> StreamStatus:
        """Take the next bytes; what is known now. What comes after a document is DEAD is not looked at."""
        if self.status is _DEAD:
            return _DEAD
        room = self._limits.data_bytes - self._received
        late = len(chunk) > room
        if late:
            chunk = chunk[:room]
        if self._whole is not None:
            self._whole.append(chunk)
        self._received += len(chunk)
        data = self._bytes + chunk if self._bytes else chunk
        bad: UnicodeDecodeError | None = None
        try:
            new = data.decode()
            self._bytes = b""
        except UnicodeDecodeError as error:
            new = data[: error.start].decode()
            self._bytes = data[error.start :]
            if error.reason != "unexpected end of data":
                bad = error
        try:
            text = self._rest + new
            if text:
                self._rest = text[self._run(text) :]
                ended = len(text) - len(self._rest)
                self._base += ended if text.isascii() else len(text[:ended].encode())
            if bad is not None:
                offset = self._base + len(self._rest.encode())
                offset += 0 if bad.reason == "invalid start byte" else bad.end - bad.start
                self._fail(offset, "json/utf-8", "is not UTF-8")
            if late:
                limit = self._limits.data_bytes
                self._fail(
                    limit,
                    "json/size",
                    f"is longer than {limit} bytes, which is the limit (setting limits.data_bytes)",
                )
        except _Dead as dead:
            self.error, self.status, self._whole, self._string = dead.error, _DEAD, None, None
        return self.status

    def end(self) -> StreamStatus:
        """Nothing more comes; a document that is not complete is DEAD then."""
        if self.status is _DEAD:
            return _DEAD
        try:
            if self._rest and self._string is None and not self.frames and self._expect == _VALUE:
                self._last_number()
            if self._expect != _END or self._bytes:
                missing = "".join("}" if f.is_object else "]" for f in reversed(self.frames))[:_SHOWN]
                message = "the document ends too early" + (f"; {missing} is missing" if missing else "")
                self._fail(self._received, "json/syntax", message, "the rest of the document")
        except _Dead as dead:
            self.error, self.status, self._whole = dead.error, _DEAD, None
        return self.status

    def open_path(self) -> list[str | int]:
        """The names and numbers that lead to the value that is arriving."""
        out: list[str | int] = []
        for frame in self.frames:
            if frame.is_object:
                if self._expect in (_FIRST_KEY, _KEY) and frame is self.frames[-1]:
                    break
                out.append(frame.key)
            else:
                out.append(frame.count)
        return out

    def open_string(self) -> str | None:
        """As much of the string that is arriving as is certain, when values are kept."""
        return None if self._string is None or self._is_key else "".join(self._string)

    # The loop. Everything below raises _Dead when the document is.

    def _run(self, text: str) -> int:
        """Look at the text; returns how far it was understood. The rest is the beginning of a token."""
        if self._string is not None:
            pos = self._go_on(text)
            if self._string is not None:
                return pos
        else:
            pos = 0
        frames, expect, end = self.frames, self._expect, len(text)
        frame = frames[-1] if frames else None
        while True:
            if expect == _VALUE:
                # at a value; white space before it may be left only at the start of the text
                if pos == end:
                    break
                char = text[pos]
                step = self._root if frame is None else frame.step
                state = step.state
                if char == '"':
                    found = TEXT.match(text, pos)
                    if found is None:
                        self._expect = expect
                        pos = self._begin(text, pos, is_key=False)
                        if self._in_string():
                            return pos
                        expect = self._expect
                        continue
                    value: Any = found[1]
                    own = state.own_of_kind[STRING]
                    for bit, check in state.string_checks:
                        if not check(value):
                            own |= bit
                    known = state.known_failures
                    failed = known[own] if own in known else state.failures(own)
                    if failed & state.roots or step.link.watched:
                        self._settle_text(step, failed, own, text, pos, found.end(), "")
                    pos = found.end()
                elif char == "{" or char == "[":
                    frame = self._open(step, char == "{", text, pos)
                    pos = SPACE.match(text, pos + 1).end()  # type: ignore[union-attr]
                    expect = _FIRST_KEY if char == "{" else _FIRST_ITEM
                    continue
                elif char in "-0123456789":
                    found = NUMBER_TOKEN.match(text, pos)
                    if found is None:
                        self._check_number_part(text, pos)
                        break
                    value = self._number(text, pos, found.end())
                    own = state.own_of_kind[NUMBER]
                    for bit, check in state.number_checks:
                        if not check(value):
                            own |= bit
                    known = state.known_failures
                    failed = known[own] if own in known else state.failures(own)
                    if failed & state.roots or step.link.watched:
                        self._settle_number(step, failed, own, text, pos, found.end(), value)
                    pos = found.end()
                elif char in LITERALS:
                    word, value = LITERALS[char]
                    if not text.startswith(word, pos):
                        self._check_literal_part(text, pos, word)
                        break
                    own = state.own_of_literal[value]
                    failed = state.failures(own)
                    if failed & state.roots or step.link.watched:
                        self._settle_literal(step, failed, own, text, pos, value)
                    pos += len(word)
                elif char in " \t\n\r":
                    pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                    continue
                else:
                    self._fail_syntax(text, pos, "a value", self._kinds_allowed(state))
                if frame is None:
                    if self._keep:
                        self.value = value
                    expect = self._complete(text, pos)
                    continue
                if frame.value is not None:
                    if frame.is_object:
                        frame.value[frame.key] = value
                    else:
                        frame.value.append(value)
                if not frame.is_object:
                    frame.count += 1
                expect = _AFTER
            if expect == _AFTER:
                found = AFTER.match(text, pos)
                if found is None:
                    pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                    if pos == end:
                        break
                    self._fail_after(text, pos)
                mark = found[1]
                assert frame is not None
                if mark == ",":
                    if frame.count >= frame.cap:
                        self._check_cap(frame, text, found.start(1))
                    pos = found.end()
                    if frame.is_object:
                        expect = _KEY
                    else:
                        frame.step = frame.items.step(frame.count)
                        if frame.step.marks:
                            self._mark_item(frame, text, found.start(1))
                        expect = _VALUE
                        continue
                else:
                    if (mark == "}") is not frame.is_object:
                        self._fail_after(text, found.start(1))
                    self._close(text, found.start(1))
                    if not frames:
                        pos = found.end()
                        expect = _END
                        frame = None
                        continue
                    frame = frames[-1]
                    pos = found.end()
                    continue
            if expect in (_KEY, _FIRST_KEY):
                found = KEY.match(text, pos)
                assert frame is not None
                if found is None:
                    pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                    if pos == end:
                        break
                    if text[pos] == '"':
                        self._expect = expect
                        pos = self._begin(text, pos, is_key=True)
                        if self._in_string():
                            return pos
                        expect = self._expect
                        continue
                    if text[pos] == "}" and expect == _FIRST_KEY:
                        self._close(text, pos)
                        pos += 1
                        frame = frames[-1] if frames else None
                        expect = _AFTER if frames else _END
                        continue
                    names = ("a name or }", ('"', "}")) if expect == _FIRST_KEY else ("a name", ('"',))
                    self._fail_syntax(text, pos, *names)
                if frame.count >= frame.cap:
                    self._check_cap(frame, text, found.start(1) - 1)
                name = found[1]
                if name in frame.seen:
                    self._fail_twice(frame, text, found.start(1) - 1, found.end(1), name, "")
                step = frame.members[name]
                if step.marks & ~frame.own or self._declared is not None:
                    self._check_name(frame, step, text, found.start(1) - 1, found.end(1), name, "")
                frame.seen.add(name)
                frame.count += 1
                frame.present |= step.present
                frame.key, frame.step = name, step
                pos = found.end()
                expect = _VALUE
                continue
            if expect == _COLON:
                pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                if pos == end:
                    break
                if text[pos] != ":":
                    self._fail_syntax(text, pos, "a colon", (":",))
                pos = SPACE.match(text, pos + 1).end()  # type: ignore[union-attr]
                expect = _VALUE
            elif expect == _FIRST_ITEM:
                pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                if pos == end:
                    break
                assert frame is not None
                if text[pos] == "]":
                    self._close(text, pos)
                    pos += 1
                    frame = frames[-1] if frames else None
                    expect = _AFTER if frames else _END
                else:
                    if not frame.cap:
                        self._check_cap(frame, text, pos)
                    frame.step = frame.items.step(0)
                    if frame.step.marks:
                        self._mark_item(frame, text, pos)
                    expect = _VALUE
            elif expect == _END:
                if not self._alone:
                    pos = end
                    break
                pos = SPACE.match(text, pos).end()  # type: ignore[union-attr]
                if pos == end:
                    break
                self._fail_syntax(text, pos, "nothing after the document", ())
        self._expect = expect
        return pos

    def _complete(self, text: str, pos: int) -> int:
        """The document ends at `pos`. One that could not be judged by its pieces is judged now."""
        self._expect = _END
        self.length = self._offset(text, pos)
        if self._whole is not None:
            document = b"".join(self._whole)[: self.length]
            report = self._schema.validator().validate(document, strict=self._strict)
            self._whole = None
            if not report.valid:
                first = report.errors[0]
                raise _Dead(
                    StreamError(
                        self.length,
                        first.path,
                        first.error_type,
                        first.message,
                        first.expected,
                        (),
                        first.schema_path,
                    )
                )
            self.status, self.reason = _COMPLETE, ""
        elif self.status is _VIABLE:
            self.status = _COMPLETE
        return _END

    # Containers.

    def _open(self, step: Step, is_object: bool, text: str, pos: int) -> Frame:
        frames = self.frames
        if len(frames) >= self._limits.data_depth:
            limit = self._limits.data_depth
            message = (
                f"nests brackets deeper than {limit}, which is the limit (setting json_schema.data_depth)"
            )
            self._fail(self._offset(text, pos), "json/depth", message)
        state = step.state
        own = state.own_of_kind[OBJECT if is_object else ARRAY]
        if own:
            lost = state.losses(own).roots
            if lost and self._lose(step, lost):
                self._fail_value(text, pos, state, own, {} if is_object else [], False)
        holder = frames[-1] if frames else None
        kept = (
            self._keep
            or (holder is not None and holder.value is not None)
            or (state.object_checks if is_object else state.array_checks)
        )
        value: Any = ({} if is_object else []) if kept else None
        frame = Frame(state, step.link, own, is_object, value)
        if self._declared is not None:
            frame.declared = self._declared if holder is None else _declared_below(self._schema, holder)
        frames.append(frame)
        return frame

    def _close(self, text: str, pos: int) -> None:
        """The bracket at `pos` closes the innermost container."""
        frames = self.frames
        frame = frames[-1]
        state, own, count = frame.state, frame.own, frame.count
        if frame.is_object:
            present = frame.present
            for bit, needed in state.required:
                if needed & ~present:
                    own |= bit
            for bit, name, needed in state.needed:
                if name & present and needed & ~present:
                    own |= bit
            for bit, least in state.least_properties:
                if count < least:
                    own |= bit
            for bit, check in state.object_checks:
                if not own & bit and not check(frame.value):
                    own |= bit
            unevaluated = state.unevaluated_properties
        else:
            for bit, least in state.least_items:
                if count < least:
                    own |= bit
            for number, contains in state.contains:
                if (frame.counts or {}).get(number, 0) < contains.least:
                    own |= 1 << number
            for bit, check in state.array_checks:
                if not own & bit and not check(frame.value):
                    own |= bit
            unevaluated = state.unevaluated_items
        if frame.parts is not None:
            failed = state.failures_with_unevaluated(own, unevaluated, frame.parts)
        else:
            known = state.known_failures
            failed = known[own] if own in known else state.failures(own)
        frames.pop()
        step = frames[-1].step if frames else self._root
        if failed & state.roots or step.link.watched:

            def fail() -> NoReturn:
                frames.append(frame)
                self._fail_with(
                    self._offset(text, pos),
                    explain_close(frame.state, own & ~frame.own, own, failed, frame),
                    to_holder=True,
                )

            self._settle(step, failed, fail)
        if not frames:
            if self._keep:
                self.value = frame.value
            self._complete(text, pos + 1)
            return
        holder = frames[-1]
        if holder.value is not None:
            if holder.is_object:
                holder.value[holder.key] = frame.value
            else:
                holder.value.append(frame.value)
        if not holder.is_object:
            holder.count += 1

    def _check_cap(self, frame: Frame, text: str, pos: int) -> None:
        """One more member or item is about to come than some node allows."""
        limits = frame.state.most_properties if frame.is_object else frame.state.most_items
        marks = 0
        for bit, most in limits:
            if frame.count >= most:
                marks |= bit
        if marks & ~frame.own:
            if self._would_die(len(self.frames) - 1, marks):
                keyword = "maxProperties" if frame.is_object else "maxItems"
                what = "properties" if frame.is_object else "items"
                most = min(m for bit, m in limits if bit & marks)
                reason = Reason(
                    keyword,
                    f"has more than {most} {what}",
                    f"at most {most}",
                    ("}" if frame.is_object else "]",),
                )
                self._fail_with(self._offset(text, pos), [reason], to_holder=True)
            self._mark(len(self.frames) - 1, marks)

    def _mark_item(self, frame: Frame, text: str, pos: int) -> None:
        """An item is about to come where some node allows none."""
        marks = frame.step.marks & ~frame.own
        if marks:
            if self._would_die(len(self.frames) - 1, marks):
                self._fail_with(self._offset(text, pos), explain_item(frame, marks), to_holder=True)
            self._mark(len(self.frames) - 1, marks)

    # What the outcome of a part means for what holds it.

    def _settle(self, step: Step, failed: int, fail: Callable[[], NoReturn]) -> None:
        """A part is complete; `failed`: the nodes of its state that do not hold."""
        roots = failed & step.state.roots
        if not self.frames:
            if roots:
                fail()
            return
        frame = self.frames[-1]
        link = step.link
        marks = link.kills(roots)
        if link.watched:
            evaluators = step.evaluators
            refused = 0
            if frame.counts is not None:
                for root, number in link.contains:
                    if not roots & root:
                        frame.counts[number] = count = frame.counts.get(number, 0) + 1
                        contains = frame.state.nodes[number].contains
                        assert contains is not None
                        if contains.evaluates:
                            evaluators |= 1 << number
                        if contains.most is not None and count > contains.most:
                            marks |= 1 << number
            for root, nodes in link.unevaluated:
                if roots & root:
                    refused |= nodes
            if frame.parts is not None:
                frame.parts.append((evaluators, refused))
        if marks & ~frame.own:
            depth = len(self.frames) - 1
            if self._would_die(depth, marks):
                fail()
            self._mark(depth, marks)

    def _lose(self, step: Step, roots: int) -> bool:
        """The roots of an open value are lost: note it where it is held; whether the document is dead."""
        if not self.frames:
            return True
        marks = step.link.kills(roots)
        depth = len(self.frames) - 1
        if self._would_die(depth, marks):
            return True
        self._mark(depth, marks)
        return False

    def _is_lost(self, step: Step, own: int) -> bool:
        """Whether the document would be dead if these nodes of an open part had failed. Changes nothing."""
        roots = step.state.losses(own).roots if own else 0
        if not roots:
            return False
        return not self.frames or self._would_die(len(self.frames) - 1, step.link.kills(roots))

    def _would_die(self, depth: int, marks: int) -> bool:
        frames = self.frames
        while marks:
            frame = frames[depth]
            own = frame.own | marks
            if own == frame.own:
                return False
            newly = frame.state.losses(own).roots & ~frame.state.losses(frame.own).roots
            if not newly:
                return False
            if depth == 0:
                return True
            marks = frame.link.kills(newly)
            depth -= 1
        return False

    def _mark(self, depth: int, marks: int) -> None:
        frames = self.frames
        while marks:
            frame = frames[depth]
            own = frame.own | marks
            if own == frame.own:
                return
            state = frame.state
            before = state.losses(frame.own).roots
            frame.own = own
            losses = state.losses(own)
            if losses.irrelevant != frame.irrelevant:
                frame.irrelevant = losses.irrelevant
                if frame.is_object:
                    frame.members = state.members(losses.irrelevant)
                else:
                    frame.items = state.items(losses.irrelevant)
            if depth == 0:
                return
            marks = frame.link.kills(losses.roots & ~before)
            depth -= 1

    # Strings.

    def _in_string(self) -> bool:
        return self._string is not None

    def _begin(self, text: str, pos: int, *, is_key: bool) -> int:
        """A string begins at the quote at `pos` that has escapes, or does not end in this text."""
        if is_key and self.frames[-1].count >= self.frames[-1].cap:
            self._check_cap(self.frames[-1], text, pos)
        self._string, self._string_length, self._string_head, self._is_key = [], 0, "", is_key
        self._check_string(text, pos, pos + 1, "")
        return self._go_on(text, pos + 1)

    def _go_on(self, text: str, pos: int = 0) -> int:
        """More of a string; returns how far it was understood. When it is complete, it has been judged."""
        pieces = self._string
        assert pieces is not None
        end = BODY.match(text, pos).end()  # type: ignore[union-attr]
        raw = text[pos:end]
        mark = text[end : end + 1]
        wait = held_back(raw) if mark != '"' else 0
        try:
            piece = decode(raw[:-wait] if wait else raw)
        except LoneSurrogate as error:
            offset = self._offset(text, pos + error.end - 1)
            self._fail(
                offset, "json/surrogate", "a string holds half of a surrogate pair, which is not a character"
            )
        head = self._string_head
        step = self._step()
        if self._is_key or self._keeps_string(step):
            pieces.append(piece)
        self._string_length += len(piece)
        if mark == '"':
            value = "".join(pieces)
            self._string = None
            if self._is_key:
                self._end_key(text, pos - 1, end, value, head)
            else:
                self._end_text(step, text, pos - 1, end + 1, value, head)
            return end + 1
        if self._is_key or len(head) <= step.state.longest_prefix:
            self._check_string(text, pos - 1, end, head)
            room = len(head) + len(piece) if self._is_key else step.state.longest_prefix + 1
            self._string_head = (head + piece)[:room]
        if mark and not (mark == "\\" and ESCAPE_PART.fullmatch(text, end)):
            if mark == "\\":
                end = ESCAPE_PART.match(text, end).end()  # type: ignore[union-attr]
            self._fail_syntax(text, end, "a character of a string", ())
        return end - wait

    def _keeps_string(self, step: Step) -> bool:
        holder = self.frames[-1].value if self.frames else None
        return bool(step.state.string_checks) or self._keep or holder is not None

    def _step(self) -> Step:
        return self.frames[-1].step if self.frames and not self._is_key else self._root

    def _check_string(self, text: str, quote: int, end: int, head: str) -> None:
        """The document may be dead with what has come of a string: text[quote + 1 : end] after `head`."""
        if self._dead_with_prefix(head + decode_beginning(text[quote + 1 : end])):
            self._fail_prefix(text, quote, end, head)

    def _dead_with_prefix(self, prefix: str) -> bool:
        if not self._is_key:
            step = self._step()
            return self._is_lost(step, step.state.own_of_kind[STRING] | step.state.failed_texts(prefix))
        return self._would_die(len(self.frames) - 1, self._refusing(prefix))

    def _refusing(self, prefix: str) -> int:
        frame = self.frames[-1]
        marks = 0
        for closed in frame.state.closed_names(frame.irrelevant):
            if closed.refuses(prefix, frame.seen):
                marks |= closed.bit
        return marks

    def _first_dead(self, text: str, quote: int, end: int, head: str) -> int:
        """The first character of text[quote:end] with which the document is dead; -1 when it is not."""
        low, high = quote, end
        while low < high:  # the document is dead with text[quote : high + 1], or high is the end
            middle = (low + high) // 2
            if self._dead_with_prefix(head + decode_beginning(text[quote + 1 : middle + 1])):
                high = middle
            else:
                low = middle + 1
        return low if low < end else -1

    def _fail_prefix(self, text: str, quote: int, end: int, head: str) -> NoReturn:
        at = self._first_dead(text, quote, end, head)
        prefix = head + decode_beginning(text[quote + 1 : at + 1])
        offset = self._offset(text, at + 1) - 1
        if self._is_key:
            frame = self.frames[-1]
            reasons = explain_name(frame, self._refusing(prefix), prefix, complete=False)
            self._fail_with(offset, reasons, to_holder=True)
        state = self._step().state
        own = state.own_of_kind[STRING] | state.failed_texts(prefix)
        self._fail_with(offset, explain_value(state, own, prefix, complete=False, schema=self._schema))

    def _end_text(self, step: Step, text: str, quote: int, end: int, value: str, head: str) -> None:
        """A string is complete; its last piece is text[quote + 1 : end - 1]."""
        state = step.state
        own = state.own_of_kind[STRING]
        if self._keeps_string(step):
            for bit, check in state.string_checks:
                if not check(value):
                    own |= bit
        failed = state.failures(own)
        if failed & state.roots or step.link.watched:
            self._settle_text(step, failed, own, text, quote, end, head, value)
        frame = self.frames[-1] if self.frames else None
        if frame is None:
            if self._keep:
                self.value = value
            self._complete(text, end)
            return
        if frame.value is not None:
            if frame.is_object:
                frame.value[frame.key] = value
            else:
                frame.value.append(value)
        if not frame.is_object:
            frame.count += 1
        self._expect = _AFTER

    def _settle_text(
        self,
        step: Step,
        failed: int,
        own: int,
        text: str,
        quote: int,
        end: int,
        head: str,
        value: str | None = None,
    ) -> None:
        def fail() -> NoReturn:
            self._is_key = False
            if self._first_dead(text, quote, end - 1, head) >= 0:
                self._fail_prefix(text, quote, end - 1, head)
            whole = text[quote + 1 : end - 1] if value is None else value
            self._fail_value(text, end - 1, step.state, own, whole, True)

        self._settle(step, failed, fail)

    def _end_key(self, text: str, quote: int, end: int, name: str, head: str) -> None:
        """A name is complete, its closing quote is at `end`."""
        frame = self.frames[-1]
        if name in frame.seen:
            self._fail_twice(frame, text, quote, end, name, head)
        step = frame.members[name]
        if step.marks & ~frame.own or self._declared is not None:
            self._check_name(frame, step, text, quote, end, name, head)
        frame.seen.add(name)
        frame.count += 1
        frame.present |= step.present
        frame.key, frame.step = name, step
        self._expect = _COLON

    def _fail_twice(self, frame: Frame, text: str, quote: int, end: int, name: str, head: str) -> NoReturn:
        self._is_key = True
        if self._first_dead(text, quote, end, head) >= 0:
            self._fail_prefix(text, quote, end, head)
        self._fail_with(
            self._offset(text, end),
            [Reason("json/duplicate-key", f"key {name[:200]!r} occurs twice")],
            to_holder=True,
        )

    def _check_name(
        self, frame: Frame, step: Step, text: str, quote: int, end: int, name: str, head: str
    ) -> None:
        """The name of a property that some node refuses, or that may not be declared."""
        depth = len(self.frames) - 1
        if step.marks & ~frame.own:
            if self._would_die(depth, step.marks):
                self._is_key = True
                if self._first_dead(text, quote, end, head) >= 0:
                    self._fail_prefix(text, quote, end, head)
                reasons = explain_name(frame, step.marks & ~frame.own, name, complete=True)
                self._fail_with(self._offset(text, end), reasons, to_holder=True)
            self._mark(depth, step.marks)
        if frame.declared is not None and self._schema.declarations().member(frame.declared, name) is None:
            reason = Reason("undeclared", f"property {name[:100]!r} is not declared")
            frame.key = name
            self._fail_with(self._offset(text, end), [reason])

    # Numbers and literals.

    def _number(self, text: str, pos: int, end: int) -> Any:
        """The value of a number, as the ordinary validator is given it."""
        token, most = text[pos:end], self._limits.number_digits
        if token.lstrip("-").isdigit():
            if len(token) > most:
                self._fail_long(text, pos)
            return int(token)
        scientific = "e" in token or "E" in token
        if end - pos <= _LONG_NUMBER and not scientific and not self._schema.integers_by_form:
            return orjson.loads(token)
        if len(token) > most:
            self._fail_long(text, pos)
        try:
            value = Decimal(token)
            adjusted = value.adjusted() if value else 0
        except InvalidOperation:  # the exponent fits no machine word
            value, adjusted = Decimal(0), -_BEYOND if "-" in token[1:] else _BEYOND
        if adjusted >= _BEYOND_DOUBLES and adjusted > most:
            message = f"a number is out of range; the limit is 1e{most} (setting json_schema.number_digits)"
            self._fail(self._offset(text, end), "json/number", message)
        if abs(adjusted) > most:
            self._give_up(
                f"a number is beyond 1e{most} or 1e-{most}, which some readers take and others refuse"
            )
            return 0
        if end - pos <= _LONG_NUMBER and adjusted < _BEYOND_DOUBLES and not self._schema.integers_by_form:
            return orjson.loads(token)
        return plain(value) if value else 0

    def _fail_long(self, text: str, pos: int) -> NoReturn:
        most = self._limits.number_digits
        message = f"a number has more than {most} characters, which is the limit (setting json_schema.number_digits)"
        self._fail(self._offset(text, pos + most), "json/number", message)

    def _give_up(self, reason: str) -> None:
        if self.status is _VIABLE:
            self.status, self.reason = StreamStatus.INDETERMINATE, reason

    def _settle_number(
        self, step: Step, failed: int, own: int, text: str, pos: int, end: int, value: Any
    ) -> None:
        def fail() -> NoReturn:
            self._check_first(text, pos)
            self._fail_value(text, end, step.state, own, value, True)

        self._settle(step, failed, fail)

    def _settle_literal(
        self, step: Step, failed: int, own: int, text: str, pos: int, value: bool | None
    ) -> None:
        def fail() -> NoReturn:
            self._fail_value(text, pos, step.state, own, value, True)

        self._settle(step, failed, fail)

    def _check_first(self, text: str, pos: int) -> None:
        """The document may be dead with the first character of a number."""
        step = self.frames[-1].step if self.frames else self._root
        own = step.state.own_of_kind[NUMBER]
        if text[pos] == "-":
            own |= step.state.no_negative
        if self._is_lost(step, own):
            self._fail_value(text, pos, step.state, own, -1 if text[pos] == "-" else 0, False)

    def _check_number_part(self, text: str, pos: int) -> None:
        """A number that this text does not end, or that is none."""
        self._check_first(text, pos)
        end = NUMBER_PART.match(text, pos).end()  # type: ignore[union-attr]
        if end - pos > self._limits.number_digits:
            self._fail_long(text, pos)
        if end < len(text):
            whole = WHOLE_NUMBER.fullmatch(text, pos, end)
            self._fail_syntax(text, end, "the end of the number" if whole else "a digit", ())

    def _check_literal_part(self, text: str, pos: int, word: str) -> None:
        step = self.frames[-1].step if self.frames else self._root
        value = LITERALS[word[0]][1]
        own = step.state.own_of_literal[value]
        if self._is_lost(step, own):
            self._fail_value(text, pos, step.state, own, value, True)
        at = pos
        while at < len(text) and at - pos < len(word) and text[at] == word[at - pos]:
            at += 1
        if at < len(text):
            self._fail_syntax(text, at, word, ())

    def _last_number(self) -> None:
        """The document is a number, which ends with it."""
        token = self._rest
        if WHOLE_NUMBER.fullmatch(token) is None:
            return
        self._rest = ""
        state = self._root.state
        value = self._number(token, 0, len(token))
        own = state.own_of_kind[NUMBER]
        for bit, check in state.number_checks:
            if not check(value):
                own |= bit
        self._settle_number(self._root, state.failures(own), own, token, 0, len(token), value)
        if self._keep:
            self.value = value
        self._complete(token, len(token))

    # What is wrong.

    def _offset(self, text: str, pos: int) -> int:
        return self._base + (pos if text.isascii() else len(text[:pos].encode()))

    def _pointer(self, *, to_holder: bool = False) -> str:
        frames = self.frames[:-1] if to_holder else self.frames
        return shown_pointer(frame.key if frame.is_object else frame.count for frame in frames)

    def _fail(self, offset: int, keyword: str, message: str, expected: str = "") -> NoReturn:
        raise _Dead(StreamError(offset, self._pointer(to_holder=True), keyword, message, expected))

    def _fail_syntax(self, text: str, pos: int, expected: str, allowed: tuple[str, ...]) -> NoReturn:
        found = text[pos]
        raise _Dead(
            StreamError(
                self._offset(text, pos),
                self._pointer(to_holder=True),
                "json/syntax",
                f"{expected} is expected, not {found!r}",
                expected,
                allowed,
            )
        )

    def _fail_after(self, text: str, pos: int) -> NoReturn:
        end = "}" if self.frames[-1].is_object else "]"
        self._fail_syntax(text, pos, f", or {end}", (",", end))

    def _fail_value(
        self, text: str, pos: int, state: State, own: int, value: Any, complete: bool
    ) -> NoReturn:
        self._fail_with(
            self._offset(text, pos), explain_value(state, own, value, complete=complete, schema=self._schema)
        )

    def _fail_with(self, offset: int, reasons: list[Reason], *, to_holder: bool = False) -> NoReturn:
        pointer = self._pointer(to_holder=to_holder)
        first = reasons[0]
        same = [reason for reason in reasons if reason.keyword == first.keyword]
        allowed = tuple(dict.fromkeys(text for reason in reasons for text in reason.allowed_next))[:20]
        expected = " or ".join(dict.fromkeys(reason.expected for reason in same if reason.expected))[:400]
        raise _Dead(
            StreamError(offset, pointer, first.keyword, first.message, expected, allowed, first.schema_path)
        )

    def _kinds_allowed(self, state: State) -> tuple[str, ...]:
        return ()


def _declared_below(schema: StreamingSchema, holder: Frame) -> DeclaredState | None:
    """What is declared in a container inside of `holder`; None where nothing is."""
    if holder.declared is None:
        return None
    declarations = schema.declarations()
    if holder.is_object:
        below = declarations.member(holder.declared, holder.key)
    else:
        below = declarations.item(holder.declared, holder.count)
    return below if below is not None and below.schemas else None
