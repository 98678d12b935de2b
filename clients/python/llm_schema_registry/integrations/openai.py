"""OpenAI: the Responses API and Chat Completions. Nothing of the package `openai` is imported: its clients take and give plain values.

ticket = ResponsesContract.load(registry, "support.ticket@^2")
response = client.responses.create(model=..., input=messages, **ticket.request())
value = ticket.parse(response)         # AnswerRefused.messages asks again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, NoAnswer

PROFILE = "openai-strict"


class ResponsesContract(Contract):
    """For `client.responses.create`."""

    PROFILE = PROFILE

    def request(self) -> dict[str, Any]:
        """What the request needs: `text`, or `tools` and the choice of this one."""
        if not self.is_tool:
            return dict(self.envelope)
        return {"tools": [self.envelope], "tool_choice": {"type": "function", "name": self.name}}

    def parse(self, response: Any) -> Any:
        """The answer in a response, as a JSON value in the shape of the schema. Of several calls of the tool it is the first.

        Raises AnswerRefused (append its `messages` to the input, and ask again) and NoAnswer.
        """
        if response.status == "incomplete":
            raise NoAnswer(str(getattr(response.incomplete_details, "reason", None) or "incomplete"))
        if response.status == "failed":
            raise NoAnswer("failed", str(getattr(response.error, "message", "")))
        if not self.is_tool:
            return self.decode(_text(response))
        calls = [i for i in response.output if i.type == "function_call" and i.name == self.name]
        if not calls:
            raise NoAnswer("no call", f"the tool {self.name!r} was not called")
        try:
            return self.decode(calls[0].arguments)
        except AnswerRefused as refused:
            told = f"{refused.text}"
            refused.messages = [
                *(_item(call) for call in response.output),
                *(
                    {
                        "type": "function_call_output",
                        "call_id": call.call_id,
                        "output": told if call is calls[0] else "not run: an earlier call was not valid",
                    }
                    for call in response.output
                    if call.type == "function_call"
                ),
            ]
            raise

    def piece(self, event: Any) -> str:
        wanted = "response.function_call_arguments.delta" if self.is_tool else "response.output_text.delta"
        return event.delta if event.type == wanted else ""

    def retry_messages(self, text: str, answer: str) -> Sequence[Any]:
        return _turns(text, "" if self.is_tool else answer)


class ChatContract(Contract):
    """For `client.chat.completions.create`, of OpenAI and of the many servers that speak like it."""

    PROFILE = PROFILE
    RESPONSE = "response_chat"
    TOOL = "tool_chat"

    def request(self) -> dict[str, Any]:
        """What the request needs: `response_format`, or `tools` and the choice of this one."""
        if not self.is_tool:
            return dict(self.envelope)
        choice = {"type": "function", "function": {"name": self.name}}
        return {"tools": [self.envelope], "tool_choice": choice}

    def parse(self, completion: Any) -> Any:
        """The answer in the first choice, as a JSON value in the shape of the schema.

        Raises AnswerRefused (append its `messages` to the messages, and ask again) and NoAnswer.
        """
        choice = completion.choices[0]
        message = choice.message
        if getattr(message, "refusal", None):
            raise NoAnswer("refusal", message.refusal)
        if choice.finish_reason in ("length", "content_filter"):
            raise NoAnswer(choice.finish_reason)
        if not self.is_tool:
            return self.decode(message.content or "")
        calls = [c for c in message.tool_calls or () if c.type == "function" and c.function.name == self.name]
        if not calls:
            raise NoAnswer("no call", f"the tool {self.name!r} was not called")
        try:
            return self.decode(calls[0].function.arguments)
        except AnswerRefused as refused:
            refused.messages = [
                {"role": "assistant", "tool_calls": [_item(call) for call in message.tool_calls]},
                *(
                    {
                        "role": "tool",
                        "tool_call_id": call.id,
                        "content": refused.text
                        if call is calls[0]
                        else "not run: an earlier call was not valid",
                    }
                    for call in message.tool_calls
                ),
            ]
            raise

    def piece(self, event: Any) -> str:
        if not event.choices:  # the last chunk, which counts tokens
            return ""
        delta = event.choices[0].delta
        if not self.is_tool:
            return delta.content or ""
        return "".join(
            call.function.arguments or ""
            for call in delta.tool_calls or ()
            if call.index == 0 and call.function is not None
        )

    def retry_messages(self, text: str, answer: str) -> Sequence[Any]:
        return _turns(text, "" if self.is_tool else answer)


def _text(response: Any) -> str:
    """The text of a response. Raises NoAnswer when the model declined."""
    for item in response.output:
        for part in item.content if item.type == "message" else ():
            if part.type == "refusal":
                raise NoAnswer("refusal", part.refusal)
    text: str = response.output_text
    if not text:
        raise NoAnswer("empty")
    return text


def _item(item: Any) -> Any:
    """An item of an answer as one of the next request."""
    return item.model_dump(mode="json", exclude_none=True)


def _turns(text: str, answer: str) -> list[dict[str, str]]:
    said = [{"role": "assistant", "content": answer}] if answer else []
    return [*said, {"role": "user", "content": text}]
