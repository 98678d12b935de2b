"""The subject: the name under which versions accumulate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InvalidRequest, InvalidSubject

MAX_SUBJECT = 255
DEFAULT_CONTEXT = "."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A subject name inside a context. Holding one is proof that the name is acceptable.

    `context` is "." (the default context) or starts with "."; `name` is 1 to 255 characters without control
    characters. `str()` gives the qualified form that Confluent clients use: `name` in the default context,
    `:.ctx:name` elsewhere; parsed, it is the same subject again.
    """

    context: str
    name: str

    @classmethod
    def parse(cls, text: str, field: str = "subject") -> Subject:
        """The subject written as `name` or `:.context:name`; raises InvalidSubject."""
        context, name = DEFAULT_CONTEXT, text
        if text.startswith(":."):
            context, colon, name = text[1:].partition(":")
            if not colon:
                raise InvalidSubject(field, "a qualified subject is written ':.context:name'")
            if name.startswith(":.") and context == DEFAULT_CONTEXT:
                raise InvalidSubject(field, "must not begin with ':.' after the default context '.'")
        if not name:
            raise InvalidSubject(field, "must not be empty")
        if len(text) > MAX_SUBJECT:
            raise InvalidSubject(field, f"is {len(text)} characters long; the limit is {MAX_SUBJECT}")
        if _CONTROL.search(text):
            raise InvalidSubject(field, "must not contain control characters")
        if name != name.strip() or context != context.strip():
            raise InvalidSubject(field, "must not begin or end with white space")
        return cls(context, name)

    def __str__(self) -> str:
        return self.name if self.context == DEFAULT_CONTEXT else f":{self.context}:{self.name}"


def parse_context(text: str, field: str = "context") -> str:
    """The name of a context, `.` or `.name`; raises InvalidRequest. Whatever passes is the context of some subject."""
    if not text.startswith("."):
        raise InvalidRequest(field, f"{text[:80]!r} does not begin with '.'")
    if ":" in text:
        raise InvalidRequest(field, f"{text[:80]!r} must not contain ':'")
    try:
        return Subject.parse(f":{text}:x").context
    except InvalidSubject as error:
        raise InvalidRequest(field, error.violations[0].description) from error
