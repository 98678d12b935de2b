"""What is wrong with an answer of a model, and what to send to the model because of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..results import ValidationError


class AnswerRefused(ValueError):
    """An answer that is not valid under its schema, or that cannot become valid any more.

    errors: what is wrong; their paths are those of the answer as the model wrote it where the compiled form refuses it, and those of the
    decoded answer otherwise. text: the same for the model, one line each. tokens: of the text, estimated. messages: what to append to
    the conversation, in the form of the library, so that the model corrects its answer; empty where the library has no such form.
    answer: the text that was refused. byte_offset: the byte with which a stream died; -1 for a whole answer.
    """

    def __init__(
        self,
        errors: Sequence[ValidationError],
        text: str,
        *,
        tokens: int,
        answer: str,
        byte_offset: int = -1,
        messages: Sequence[Any] = (),
    ) -> None:
        super().__init__(text)
        self.errors = tuple(errors)
        self.text = text
        self.tokens = tokens
        self.answer = answer
        self.byte_offset = byte_offset
        self.messages = list(messages)


class NoAnswer(Exception):
    """The response of a provider holds no answer: it was cut off, the model declined, or it did not call the tool.

    reason: what the provider says, such as `max_output_tokens` or `refusal`. detail: the model's words, if there are some.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"the response holds no answer: {reason}{': ' if detail else ''}{detail[:500]}")
        self.reason = reason
        self.detail = detail


def needs(package: str, extra: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The error for a library that is not installed, naming the extra that installs it."""
    return ModuleNotFoundError(
        f"this integration needs {package}: pip install 'llm-schema-registry[{extra}]' ({error})",
        name=error.name,
    )
