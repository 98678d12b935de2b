"""The answer of a model while it arrives: a document, perhaps with a code fence and words around it. Pure."""

from __future__ import annotations

from dataclasses import replace

from .nodes import ARRAY, OBJECT
from .partial import PartialValue, partial_value
from .schema import StreamingSchema
from .streaming import DocumentStream
from .verdict import StreamError, StreamStatus

_SPACE = b" \t\r\n"
_FENCE = b"```"
_COMPLETE, _DEAD = StreamStatus.COMPLETE, StreamStatus.DEAD


class AnswerStream:
    """Judges an answer piece by piece: `feed` the bytes as they come, cut anywhere, then `end`.

    strict: also refuse what the schema does not declare. fence: the document may stand between lines of three backticks.
    prose: words may stand before and after the document, which begins with the first brace or bracket that the schema allows
    for a whole document (and with `fence`, after the first line that begins a fence, if that comes first). keep: keep the value,
    for `partial`. Verdicts are about the document alone; offsets count all bytes of the answer. Not safe to share between threads.
    """

    def __init__(
        self,
        schema: StreamingSchema,
        *,
        strict: bool = False,
        fence: bool = False,
        prose: bool = False,
        keep: bool = False,
    ) -> None:
        self._document = DocumentStream(schema, strict=strict, keep=keep, alone=not (fence or prose))
        self._fence, self._prose, self._keep = fence, prose, keep
        root = schema.automaton.root
        allowed = [
            mark
            for mark, kind in (("{", OBJECT), ("[", ARRAY))
            if not root.losses(root.own_of_kind[kind]).roots
        ]
        self._starts = "".join(allowed).encode() or b"{["
        self._limit = schema.limits.data_bytes
        self._lead: bytes | None = (
            b"" if fence or prose else None
        )  # what may belong to the beginning of the document
        self._fenced = self._in_fence_line = self._closed = False
        self._tail = b""
        self._received = self.start = 0
        self.error: StreamError | None = None

    @property
    def status(self) -> StreamStatus:
        """What is known now."""
        return _DEAD if self.error is not None else self._document.status

    @property
    def reason(self) -> str:
        """Why the answer is INDETERMINATE; "" when it is not."""
        return self._document.reason if self.status is StreamStatus.INDETERMINATE else ""

    @property
    def received(self) -> int:
        """Bytes of the answer so far."""
        return self._received

    def feed(self, chunk: bytes) -> StreamStatus:
        """Take the next bytes; what is known now. After DEAD nothing is looked at any more."""
        if self.error is not None:
            return _DEAD
        self._received += len(chunk)
        if self._lead is not None:
            if self._received > self._limit:
                return self._die(
                    self._limit, "json/size", f"no document begins in the first {self._limit} bytes"
                )
            chunk = self._skip(self._lead + chunk)
            if self._waits():
                return self.status
            self.start = self._received - len(chunk)
        before = self._document.status
        if before is _COMPLETE and self._fence and not self._prose:
            return self._after(chunk)
        self._document.feed(chunk)
        if self._document.error is not None:
            self.error = self._shifted(self._document.error)
        elif (
            self._document.status is _COMPLETE and before is not _COMPLETE and self._fence and not self._prose
        ):
            came = self._document.received - self._document.length
            return self._after(chunk[len(chunk) - came :] if came else b"")
        return self.status

    def end(self) -> StreamStatus:
        """Nothing more comes; an answer without a complete document is DEAD then."""
        if self.error is None and self._lead is not None:
            lead, self._lead = self._lead, None
            if lead.strip(_SPACE) and not self._prose and not self._in_fence_line:
                self.start = self._received - len(lead)
                self._document.feed(lead)
            else:
                return self._die(self._received, "json/syntax", "the answer holds no document")
        if self.error is None:
            self._document.end()
            if self._document.error is not None:
                self.error = self._shifted(self._document.error)
            elif self._tail.strip(_SPACE) and not self._closed:
                return self._die(self._received, "json/syntax", "the code fence is not closed")
        return self.status

    def partial(self) -> PartialValue:
        """The valid part so far. Raises ValueError when the stream was not told to keep it."""
        if not self._keep:
            raise ValueError("keep: the value is not kept; make the stream with keep=True")
        return partial_value(self._document)

    def _waits(self) -> bool:
        return self._lead is not None

    def _skip(self, data: bytes) -> bytes:
        """What of the data belongs to the document; `_lead` is None from where it begins."""
        while True:
            if self._in_fence_line:
                at = data.find(b"\n")
                if at < 0:
                    self._lead = b""
                    return b""
                self._in_fence_line, self._fenced = False, True
                self._lead = None
                return data[at + 1 :]
            if self._prose:
                starts = [at for mark in self._starts if (at := data.find(mark)) >= 0]
                at = min(starts, default=len(data))
                fence = data.find(_FENCE) if self._fence else -1
                if 0 <= fence < at:
                    self._in_fence_line = True
                    data = data[fence + len(_FENCE) :]
                    continue
                self._lead = None if starts else data[-2:]
                return data[at:]
            data = data.lstrip(_SPACE)
            if data.startswith(_FENCE):
                self._in_fence_line = True
                data = data[len(_FENCE) :]
                continue
            if _FENCE.startswith(data):
                self._lead = data
                return b""
            self._lead = None
            return data

    def _after(self, chunk: bytes) -> StreamStatus:
        """What comes after the document where only a fence may."""
        for at, byte in enumerate(chunk):
            if byte in _SPACE and (not self._tail or self._closed):
                continue
            if not self._fenced or self._closed or byte != _FENCE[0]:
                offset = self._received - len(chunk) + at
                return self._die(offset, "json/syntax", "nothing is expected after the document")
            self._tail += b"`"
            self._closed = self._tail == _FENCE
        return self.status

    def _die(self, offset: int, keyword: str, message: str) -> StreamStatus:
        self.error = StreamError(offset, "", keyword, message)
        return _DEAD

    def _shifted(self, error: StreamError) -> StreamError:
        return replace(error, byte_offset=error.byte_offset + self.start)
