"""How OpenAI, Anthropic and Gemini write requests, answers, streams and errors, as far as the fake provider needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Event = tuple[str, str]
"""A part of the answer, and the text of the event that carries it."""


@dataclass(frozen=True)
class Wanted:
    """The schema of a request. tool: the name of the tool that has to be called. enforced: whether answers are held to the schema."""

    profile: str
    schema: Any
    tool: str = ""
    enforced: bool = True

    @property
    def schema_text(self) -> str:
        return json.dumps(self.schema)


class Wire:
    """One way to speak."""

    def wanted(self, body: Mapping[str, Any]) -> Wanted | None:
        raise NotImplementedError

    def whole(self, answer: str, tool: str) -> Any:
        raise NotImplementedError

    def events(self, answer: str, tool: str, size: int) -> Iterator[Event]:
        raise NotImplementedError

    def error(self, status: int, message: str) -> Any:
        kind = "invalid_request_error" if status == 400 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        return bool(body.get("stream"))


def pieces(text: str, size: int) -> Iterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


def sse(data: Any, event: str = "") -> str:
    return (f"event: {event}\n" if event else "") + f"data: {json.dumps(data)}\n\n"


class Responses(Wire):
    """OpenAI, POST /v1/responses."""

    def wanted(self, body: Mapping[str, Any]) -> Wanted | None:
        for tool in body.get("tools") or ():
            if tool.get("strict"):
                return Wanted("openai-strict", tool["parameters"], tool["name"])
        form = (body.get("text") or {}).get("format") or {}
        return Wanted("openai-strict", form["schema"]) if form.get("strict") else None

    def whole(self, answer: str, tool: str) -> Any:
        return {**self._response("completed"), "output": [self._item(answer, tool)]}

    def events(self, answer: str, tool: str, size: int) -> Iterator[Event]:
        number = iter(range(1_000_000))
        kind = "response.function_call_arguments" if tool else "response.output_text"
        place = {
            "output_index": 0,
            "item_id": "item_1",
            **({} if tool else {"content_index": 0, "logprobs": []}),
        }

        def event(name: str, **held: Any) -> str:
            return sse({"type": name, "sequence_number": next(number), **held}, name)

        yield "", event("response.created", response={**self._response("in_progress"), "output": []})
        yield "", event("response.output_item.added", output_index=0, item=self._item("", tool))
        for piece in pieces(answer, size):
            yield piece, event(f"{kind}.delta", delta=piece, **place)
        yield "", event("response.output_item.done", output_index=0, item=self._item(answer, tool))
        yield "", event("response.completed", response=self.whole(answer, tool))

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "fake", "error": None,
            "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip

    def _item(self, answer: str, tool: str) -> dict[str, Any]:
        if tool:
            return {
                "type": "function_call", "id": "item_1", "call_id": "call_1", "name": tool, "arguments": answer, "status": "completed",
            }  # fmt: skip
        content = [{"type": "output_text", "text": answer, "annotations": [], "logprobs": []}]
        return {
            "type": "message",
            "id": "item_1",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }


class Chat(Wire):
    """OpenAI, POST /v1/chat/completions."""

    def wanted(self, body: Mapping[str, Any]) -> Wanted | None:
        for tool in body.get("tools") or ():
            held = tool["function"]
            return Wanted("openai-strict", held["parameters"], held["name"]) if held.get("strict") else Wanted(
                "mistral", held["parameters"], held["name"], enforced=False
            )  # fmt: skip
        form = (body.get("response_format") or {}).get("json_schema") or {}
        return Wanted("openai-strict", form["schema"]) if form.get("strict") else None

    def whole(self, answer: str, tool: str) -> Any:
        call = {"id": "call_1", "type": "function", "function": {"name": tool, "arguments": answer}}
        message = {"content": None, "tool_calls": [call]} if tool else {"content": answer}
        choice = {
            "index": 0,
            "finish_reason": "tool_calls" if tool else "stop",
            "message": {"role": "assistant", **message},
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}

    def events(self, answer: str, tool: str, size: int) -> Iterator[Event]:
        def chunk(delta: Any, finish: str | None = None) -> str:
            return sse(
                {
                    **self._head("chat.completion.chunk"),
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                }
            )

        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": ""}}
        yield "", chunk({"role": "assistant", **({"tool_calls": [first]} if tool else {"content": ""})})
        for piece in pieces(answer, size):
            yield (
                piece,
                chunk(
                    {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
                    if tool
                    else {"content": piece}
                ),
            )
        yield "", chunk({}, "tool_calls" if tool else "stop")
        yield "", sse({**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()})
        yield "", "data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "fake"}

    def _usage(self) -> dict[str, int]:
        return {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


class Messages(Wire):
    """Anthropic, POST /v1/messages."""

    def wanted(self, body: Mapping[str, Any]) -> Wanted | None:
        for tool in body.get("tools") or ():
            strict = bool(tool.get("strict"))
            return Wanted(
                "anthropic-strict" if strict else "anthropic",
                tool["input_schema"],
                tool["name"],
                enforced=strict,
            )
        form = (body.get("output_config") or {}).get("format") or {}
        return Wanted("anthropic-strict", form["schema"]) if form else None

    def whole(self, answer: str, tool: str) -> Any:
        text = {"type": "text", "text": answer}
        block = (
            {"type": "tool_use", "id": "toolu_1", "name": tool, "input": json.loads(answer)} if tool else text
        )
        return {**self._message(), "content": [block], "stop_reason": "tool_use" if tool else "end_turn"}

    def events(self, answer: str, tool: str, size: int) -> Iterator[Event]:
        def event(name: str, **held: Any) -> str:
            return sse({"type": name, **held}, name)

        block = (
            {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
            if tool
            else {"type": "text", "text": ""}
        )
        yield "", event("message_start", message={**self._message(), "content": [], "stop_reason": None})
        yield "", event("content_block_start", index=0, content_block=block)
        for piece in pieces(answer, size):
            delta = (
                {"type": "input_json_delta", "partial_json": piece}
                if tool
                else {"type": "text_delta", "text": piece}
            )
            yield piece, event("content_block_delta", index=0, delta=delta)
        yield "", event("content_block_stop", index=0)
        reason = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
        yield "", event("message_delta", delta=reason, usage={"output_tokens": 1})
        yield "", event("message_stop")

    def error(self, status: int, message: str) -> Any:
        kind = "invalid_request_error" if status == 400 else "api_error"
        return {"type": "error", "error": {"type": kind, "message": message}}

    def _message(self) -> dict[str, Any]:
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip


class Gemini(Wire):
    """Gemini, POST /v1beta/models/{model}:generateContent and :streamGenerateContent."""

    def wanted(self, body: Mapping[str, Any]) -> Wanted | None:
        for tool in body.get("tools") or ():
            for held in tool.get("functionDeclarations") or ():
                schema = held.get(
                    "parametersJsonSchema", held.get("parameters_json_schema")
                )  # either name is taken
                return Wanted("gemini-json-schema", schema, held["name"])
        schema = (body.get("generationConfig") or {}).get("responseJsonSchema")
        return Wanted("gemini-json-schema", schema) if schema is not None else None

    def whole(self, answer: str, tool: str) -> Any:
        part = {"functionCall": {"name": tool, "args": json.loads(answer)}} if tool else {"text": answer}
        return self._candidate([part], "STOP")

    def events(self, answer: str, tool: str, size: int) -> Iterator[Event]:
        if tool:
            yield answer, sse(self.whole(answer, tool))
            return
        for piece in pieces(answer, size):
            yield piece, sse(self._candidate([{"text": piece}], None))
        yield "", sse(self._candidate([{"text": ""}], "STOP"))

    def error(self, status: int, message: str) -> Any:
        return {
            "error": {
                "code": status,
                "message": message,
                "status": "INVALID_ARGUMENT" if status == 400 else "INTERNAL",
            }
        }

    def streams(self, path: str, body: Mapping[str, Any]) -> bool:
        return path.endswith(":streamGenerateContent")

    def _candidate(self, parts: list[Any], finish: str | None) -> dict[str, Any]:
        held: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
        return {
            "candidates": [{**held, **({"finishReason": finish} if finish else {})}],
            "modelVersion": "fake",
        }


WIRES: Mapping[str, Wire] = {
    "/v1/responses": Responses(),
    "/v1/chat/completions": Chat(),
    "/v1/messages": Messages(),
    "/v1/models/{call}": Gemini(),
    "/v1beta/models/{call}": Gemini(),
}
