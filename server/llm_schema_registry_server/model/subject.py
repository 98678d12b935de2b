"""The subject: the name under which versions accumulate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InvalidSubject

MAX_SUBJECT = 255
DEFAULT_CONTEXT = "."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A subject name inside a context. Holding one is proof that the name is acceptable.

    `context` is "." (the default context) or starts with "."; `name` is 1 to 255 characters without control
    characters. `str()` gives the qualified form that Confluent clients use: `name` in the default context,
    `:.ctx:name` elsewhere.
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
        if not name:
            raise InvalidSubject(field, "must not be empty")
        if len(text) > MAX_SUBJECT:
            raise InvalidSubject(field, f"is {len(text)} characters long; the limit is {MAX_SUBJECT}")
        if _CONTROL.search(text):
            raise InvalidSubject(field, "must not contain control characters")
        if name != name.strip():
            raise InvalidSubject(field, "must not begin or end with white space")
        return cls(context, name)

    def __str__(self) -> str:
        return self.name if self.context == DEFAULT_CONTEXT else f":{self.context}:{self.name}"
