"""The Messages API: with the package `anthropic`, against a provider that refuses what Anthropic refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_registry import AsyncSchemaRegistry, SchemaRegistry
from llm_schema_registry.integrations import AnswerRefused, NoAnswer
from llm_schema_registry.integrations.anthropic import MessagesContract
from tests.api.server import ServerProcess

from .kit import TICKET, VALUE, WRONG, library, text

QUESTION = [{"role": "user", "content": "Write a ticket."}]


@pytest.fixture
def anthropic() -> Any:
    return library("anthropic")


@pytest.fixture
def client(anthropic: Any, provider: Any) -> Iterator[Any]:
    with anthropic.Anthropic(base_url=provider.url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(params=["response", "tool", "tool without strict"])
def contract(request: pytest.FixtureRequest, registry: SchemaRegistry, ticket: str) -> MessagesContract:
    profile = "anthropic" if request.param.endswith("strict") else ""
    return MessagesContract.load(registry, f"{ticket}@^1", tool=request.param != "response", profile=profile)


def ask(client: Any, contract: MessagesContract, messages: list[Any], **more: Any) -> Any:
    return client.messages.create(
        model="fake", max_tokens=99, messages=messages, **contract.request(), **more
    )


def test_the_schema_as_it_stands_is_refused(client: Any, anthropic: Any) -> None:
    tool = {"name": "ticket", "input_schema": TICKET, "strict": True}

    with pytest.raises(anthropic.BadRequestError, match="Invalid schema"):
        client.messages.create(model="fake", max_tokens=99, messages=QUESTION, tools=[tool])


def test_the_compiled_form_is_taken_and_its_answer_decoded(
    client: Any, contract: MessagesContract, provider: Any
) -> None:
    provider.will_answer(text(contract.encode(VALUE)))

    assert contract.parse(ask(client, contract, QUESTION)) == VALUE


def test_an_answer_that_is_not_valid_is_asked_for_again(
    client: Any, contract: MessagesContract, provider: Any
) -> None:
    provider.will_answer(text(contract.encode(WRONG)), text(contract.encode(VALUE)))
    messages = list(QUESTION)

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        contract.parse(ask(client, contract, messages))
    messages += refused.value.messages
    assert contract.parse(ask(client, contract, messages)) == VALUE
    assert [turn["role"] for turn in provider.asked[-1]["messages"]] == ["user", "assistant", "user"]
    assert refused.value.text in str(provider.asked[-1]["messages"][-1])
    if contract.is_tool:
        (result,) = provider.asked[-1]["messages"][-1]["content"]
        assert (result["type"], result["tool_use_id"], result["is_error"]) == ("tool_result", "toolu_1", True)


def test_a_stream_ends_where_its_answer_dies(client: Any, contract: MessagesContract, provider: Any) -> None:
    wrong = text(contract.encode(WRONG))
    provider.will_answer(wrong, text(contract.encode(VALUE)))

    with pytest.raises(AnswerRefused, match="/tags") as refused:
        contract.guard(ask(client, contract, QUESTION, stream=True)).run()
    assert refused.value.byte_offset == wrong.index("]")
    assert provider.stopped.wait(30)
    again = ask(client, contract, [*QUESTION, *refused.value.messages], stream=True)
    assert contract.guard(again).run() == VALUE


def test_the_helper_for_streams_of_the_package_is_taken_too(
    client: Any, contract: MessagesContract, provider: Any
) -> None:
    provider.will_answer(text(contract.encode(VALUE)))
    with client.messages.stream(
        model="fake", max_tokens=99, messages=QUESTION, **contract.request()
    ) as stream:
        assert contract.guard(stream).run() == VALUE


async def test_asyncio_code_has_the_same(
    anthropic: Any, provider: Any, server: ServerProcess, ticket: str
) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:
        contract = await MessagesContract.load_async(registry, f"{ticket}@^1", tool=True)
    provider.will_answer(text(contract.encode(VALUE)), text(contract.encode(WRONG)))
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="none", max_retries=0) as client:
        assert await contract.guard_async(await ask(client, contract, QUESTION, stream=True)).run() == VALUE
        with pytest.raises(AnswerRefused):
            contract.parse(await ask(client, contract, QUESTION))


@pytest.mark.parametrize(
    ("content", "stopped", "reason"),
    [
        ([{"type": "text", "text": '{"cat'}], "max_tokens", "max_tokens"),
        ([{"type": "text", "text": "no"}], "refusal", "refusal"),
        ([{"type": "text", "text": "Here it is"}], "end_turn", "no call"),
    ],
)
def test_a_message_without_an_answer_says_why(
    anthropic: Any, registry: SchemaRegistry, ticket: str, content: list[Any], stopped: str, reason: str
) -> None:
    contract = MessagesContract.load(registry, ticket, tool=True)
    message = anthropic.types.Message.model_validate(
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "fake",
            "content": content,
            "stop_reason": stopped,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )

    with pytest.raises(NoAnswer) as none:
        contract.parse(message)
    assert none.value.reason == reason
