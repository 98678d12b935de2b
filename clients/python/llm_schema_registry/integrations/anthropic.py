"""Anthropic: the Messages API. Nothing of the package `anthropic` is imported: its clients take and give plain values.

ticket = MessagesContract.load(registry, "support.ticket@^2", tool=True)
message = client.messages.create(model=..., max_tokens=..., messages=messages, **ticket.request())
value = ticket.parse(message)          # AnswerRefused.messages asks again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, NoAnswer

_CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})


class MessagesContract(Contract):
    """For `client.messages.create`. The profile `anthropic` is that of tools without `strict`."""

    PROFILE = "anthropic-strict"

    def request(self) -> dict[str, Any]:
        """What the request needs: `output_config`, or `tools` and the choice of this one."""
        if not self.is_tool:
            return dict(self.envelope)
        return {"tools": [self.envelope], "tool_choice": {"type": "tool", "name": self.name}}

    def parse(self, message: Any) -> Any:
        """The answer in a message, as a JSON value in the shape of the schema. Of several calls of the tool it is the first.

        Raises AnswerRefused (append its `messages`, and ask again) and NoAnswer.
        """
        if message.stop_reason in _CUT_OFF:
            raise NoAnswer(message.stop_reason)
        if not self.is_tool:
            text = "".join(block.text for block in message.content if block.type == "text")
            if not text:
                raise NoAnswer("empty")
            return self.decode(text)
        uses = [block for block in message.content if block.type == "tool_use"]
        mine = [use for use in uses if use.name == self.name]
        if not mine:
            raise NoAnswer("no call", f"the tool {self.name!r} was not called")
        try:
            return self.decode(mine[0].input)
        except AnswerRefused as refused:
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": use.id,
                    "is_error": True,
                    "content": refused.text if use is mine[0] else "not run: an earlier call was not valid",
                }
                for use in uses
            ]
            refused.messages = [
                {
                    "role": "assistant",
                    "content": [
                        block.model_dump(mode="json", exclude_none=True) for block in message.content
                    ],
                },
                {"role": "user", "content": results},
            ]
            raise

    def piece(self, event: Any) -> str:
        if event.type != "content_block_delta":
            return ""
        if self.is_tool:
            return event.delta.partial_json if event.delta.type == "input_json_delta" else ""
        return event.delta.text if event.delta.type == "text_delta" else ""

    def retry_messages(self, text: str, answer: str) -> Sequence[Any]:
        said = (
            [] if self.is_tool or not answer.strip() else [{"role": "assistant", "content": answer.rstrip()}]
        )
        return [*said, {"role": "user", "content": text}]
