"""The Responses API and Chat Completions: with the package `openai`, against a provider that refuses what OpenAI refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_registry import AsyncSchemaRegistry, LossEffect, SchemaRegistry
from llm_schema_registry.integrations import AnswerRefused, NoAnswer
from llm_schema_registry.integrations.openai import ChatContract, ResponsesContract
from tests.api.server import ServerProcess

from .kit import TICKET, VALUE, WRONG, library, text

QUESTION = [{"role": "user", "content": "Write a ticket."}]


@pytest.fixture
def openai() -> Any:
    return library("openai")


@pytest.fixture
def client(openai: Any, provider: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(params=["responses", "chat"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["response", "tool"])
def contract(request: pytest.FixtureRequest, api: str, registry: SchemaRegistry, ticket: str) -> Any:
    kind = ResponsesContract if api == "responses" else ChatContract
    return kind.load(registry, f"{ticket}@^1", tool=request.param)


def ask(client: Any, contract: Any, messages: list[Any], **more: Any) -> Any:
    if isinstance(contract, ResponsesContract):
        return client.responses.create(model="fake", input=messages, **contract.request(), **more)
    return client.chat.completions.create(model="fake", messages=messages, **contract.request(), **more)


def test_the_schema_as_it_stands_is_refused(client: Any, openai: Any, provider: Any) -> None:
    form = {"type": "json_schema", "name": "ticket", "schema": TICKET, "strict": True}

    with pytest.raises(openai.BadRequestError, match="Invalid schema"):
        client.responses.create(model="fake", input=QUESTION, text={"format": form})


def test_the_compiled_form_is_taken_and_its_answer_decoded(client: Any, contract: Any, provider: Any) -> None:
    provider.will_answer(text(contract.encode(VALUE)))

    assert contract.parse(ask(client, contract, QUESTION)) == VALUE
    assert [(loss.effect, loss.pointer) for loss in contract.losses] == [
        (LossEffect.WIDENED, "/properties/tags/uniqueItems")
    ]


def test_an_answer_that_is_not_valid_is_asked_for_again(client: Any, contract: Any, provider: Any) -> None:
    provider.will_answer(text(contract.encode(WRONG)), text(contract.encode(VALUE)))
    messages = list(QUESTION)

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        contract.parse(ask(client, contract, messages))
    messages += refused.value.messages
    assert contract.parse(ask(client, contract, messages)) == VALUE
    assert refused.value.text in str(provider.asked[-1])
    assert refused.value.tokens < 80
    assert [error.path for error in refused.value.errors] == ["/tags"]


def test_a_stream_ends_where_its_answer_dies(client: Any, contract: Any, provider: Any) -> None:
    wrong = text(contract.encode(WRONG))
    provider.will_answer(wrong, text(contract.encode(VALUE)))
    stream = contract.guard(ask(client, contract, QUESTION, stream=True))

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        for _ in stream:
            pass
    assert refused.value.byte_offset == wrong.index("]")
    assert provider.stopped.wait(30)
    assert provider.sent < len(wrong)
    again = contract.guard(ask(client, contract, [*QUESTION, *refused.value.messages], stream=True))
    assert again.run() == VALUE


async def test_asyncio_code_has_the_same(
    openai: Any, provider: Any, server: ServerProcess, ticket: str, api: str
) -> None:
    kind = ResponsesContract if api == "responses" else ChatContract
    async with AsyncSchemaRegistry(server.grpc) as registry:
        contract = await kind.load_async(registry, f"{ticket}@^1")
    provider.will_answer(text(contract.encode(VALUE)), text(contract.encode(WRONG)))
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:
        good = contract.guard_async(await ask(client, contract, QUESTION, stream=True))
        assert await good.run() == VALUE
        bad = contract.guard_async(await ask(client, contract, QUESTION, stream=True))
        with pytest.raises(AnswerRefused):
            await bad.run()
        assert bad.text.startswith('{"category"')


def test_a_root_that_is_no_object_is_wrapped_for_the_provider(
    client: Any, provider: Any, registry: SchemaRegistry, subject: str
) -> None:
    registry.register_schema(subject, {"type": "array", "items": {"type": "string"}, "uniqueItems": True})
    contract = ResponsesContract.load(registry, subject)
    provider.will_answer('{"value": ["a", "b"]}', '{"value": ["a", "a"]}')

    assert contract.parse(ask(client, contract, QUESTION)) == ["a", "b"]
    with pytest.raises(AnswerRefused) as refused:
        contract.guard(ask(client, contract, QUESTION, stream=True)).run()
    assert refused.value.byte_offset == 19


def test_servers_that_speak_alike_have_profiles_of_their_own(
    client: Any, provider: Any, registry: SchemaRegistry, ticket: str
) -> None:
    contract = ChatContract.load(registry, ticket, profile="vllm-xgrammar", surface="response")
    provider.will_answer(text(contract.encode(VALUE)))

    assert contract.parse(ask(client, contract, QUESTION)) == VALUE
    assert ChatContract.load(registry, ticket, profile="mistral", surface="tool").is_tool


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
        ),
        ({"status": "failed", "error": {"code": "server_error", "message": "sorry"}}, "failed"),
        ({"output": [{"type": "refusal", "refusal": "I will not"}]}, "refusal"),
        ({"output": []}, "empty"),
    ],
)
def test_a_response_without_an_answer_says_why(
    openai: Any, registry: SchemaRegistry, ticket: str, changes: dict[str, Any], reason: str
) -> None:
    contract = ResponsesContract.load(registry, ticket)
    parts = changes.get("output")
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": parts}
    response = openai.types.responses.Response.model_validate(
        {
            "id": "r",
            "object": "response",
            "created_at": 1,
            "model": "fake",
            "status": "completed",
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            **changes,
            "output": [message] if parts else [],
        }
    )

    with pytest.raises(NoAnswer) as none:
        contract.parse(response)
    assert none.value.reason == reason


@pytest.mark.parametrize(
    ("message", "finish", "reason"),
    [
        ({"refusal": "I will not"}, "stop", "refusal"),
        ({"content": '{"cat'}, "length", "length"),
        ({"content": "Here it is"}, "stop", "no call"),
    ],
)
def test_a_completion_without_an_answer_says_why(
    openai: Any, registry: SchemaRegistry, ticket: str, message: dict[str, Any], finish: str, reason: str
) -> None:
    contract = ChatContract.load(registry, ticket, tool=True)
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    completion = openai.types.chat.ChatCompletion.model_validate(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice]}
    )

    with pytest.raises(NoAnswer) as none:
        contract.parse(completion)
    assert none.value.reason == reason
