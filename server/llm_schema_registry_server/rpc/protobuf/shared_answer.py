"""An answer that many streams send at about the same time: written once for each form, not once for each stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

Form = TypeVar("Form", bytes, str)


class SharedAnswer:
    """A message that does not change any more, and what has been written of it. `parts`: the answers that it puts together, where it does; a
    wire that writes bytes without bounds between messages may write those instead."""

    __slots__ = ("_forms", "_serialized", "message", "parts")

    def __init__(self, message: Message, parts: Sequence[SharedAnswer] = ()) -> None:
        self.message, self.parts = message, parts
        self._forms: dict[Callable[[Message], Any], Any] = {}
        self._serialized = b""

    def serialized(self) -> bytes:
        """The message as Protobuf."""
        if not self._serialized:
            self._serialized = self.message.SerializeToString()
        return self._serialized

    def written(self, write: Callable[[Message], Form]) -> Form:
        """What `write` makes of the message; it runs once, however many ask."""
        form: Form | None = self._forms.get(write)
        if form is None:
            form = self._forms[write] = write(self.message)
        return form

    def written_apart(self, write: Callable[[Message], bytes]) -> bytes:
        """What `write` makes of each of the parts, one after the other; of the message where there are none."""
        if not self.parts:
            return self.written(write)
        form: bytes | None = self._forms.get(write)
        if form is None:
            form = self._forms[write] = b"".join(part.written(write) for part in self.parts)
        return form


Answer = Message | SharedAnswer
"""What a handler answers with."""


def message_of(answer: Answer) -> Message:
    """The message of an answer, shared or not."""
    return answer.message if isinstance(answer, SharedAnswer) else answer


def serialized(answer: Answer) -> bytes:
    """The answer as Protobuf."""
    return answer.serialized() if isinstance(answer, SharedAnswer) else answer.SerializeToString()
