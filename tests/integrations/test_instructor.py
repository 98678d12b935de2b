"""instructor over the package `openai`: a response model of the registry, and retries that are short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations.openai import ChatContract

from .kit import VALUE, WRONG, library, text

QUESTION = [{"role": "user", "content": "Write a ticket."}]


@pytest.fixture
def instructor() -> Any:
    return library("instructor")


@pytest.fixture
def client(instructor: Any, provider: Any) -> Iterator[Any]:
    with library("openai").OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as made:
        yield instructor.from_openai(made, mode=instructor.Mode.TOOLS)


@pytest.fixture
def model(instructor: Any, registry: SchemaRegistry, ticket: str) -> Any:
    from llm_schema_registry.integrations.instructor import response_model

    contract = ChatContract.load(registry, f"{ticket}@^1", tool=True)
    return contract, response_model(contract)


def create(client: Any, model: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="fake", messages=QUESTION, response_model=model, **options)


def test_the_model_is_shown_the_compiled_schema_and_the_answer_is_an_instance(
    client: Any, model: Any, provider: Any
) -> None:
    contract, kind = model
    provider.will_answer(text(contract.encode(VALUE)))

    found = create(client, kind)
    assert (found.category, found.facts, found.order) == ("billing", {"plan": "pro"}, None)
    assert found.model_dump() == VALUE
    (tool,) = provider.asked[0]["tools"]
    assert tool["function"]["parameters"]["properties"] == contract.json_schema["properties"]


def test_a_retry_tells_the_model_what_is_wrong(client: Any, model: Any, provider: Any) -> None:
    contract, kind = model
    provider.will_answer(text(contract.encode(WRONG)), text(contract.encode(VALUE)))

    assert create(client, kind, max_retries=2).tags == ["refund"]
    assert "/tags" in str(provider.asked[1]["messages"][-1])


def test_when_all_retries_are_not_valid_it_fails(
    client: Any, model: Any, provider: Any, instructor: Any
) -> None:
    contract, kind = model
    provider.will_answer(*[text(contract.encode(WRONG))] * 2)

    with pytest.raises(library("instructor.core").InstructorRetryException):
        create(client, kind, max_retries=1)
