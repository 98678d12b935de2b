"""pydantic-ai over the package `openai`: outputs and tools of the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations import Contract

from .kit import VALUE, WRONG, library, text


@pytest.fixture
def idioms() -> Any:
    library("pydantic_ai")
    return library("llm_schema_registry.integrations.pydantic_ai")


@pytest.fixture
async def model(idioms: Any, provider: Any) -> AsyncIterator[Any]:
    openai = library("openai")
    models, providers = library("pydantic_ai.models.openai"), library("pydantic_ai.providers.openai")
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:
        yield models.OpenAIChatModel("gpt-5.2", provider=providers.OpenAIProvider(openai_client=client))


@pytest.fixture
def contract(registry: SchemaRegistry, ticket: str) -> Contract:
    return Contract.load(registry, f"{ticket}@^1", profile="openai-strict", tool=True)


async def test_an_output_is_decoded_and_asked_for_again(
    idioms: Any, model: Any, contract: Contract, provider: Any
) -> None:
    agent = library("pydantic_ai").Agent(model, output_type=idioms.output_type(contract), retries=1)
    agent.output_validator(idioms.output_validator(contract))
    provider.will_answer(text(contract.encode(WRONG)), text(contract.encode(VALUE)))

    assert (await agent.run("Write a ticket.")).output == VALUE
    assert "/tags" in str(provider.asked[1]["messages"][-1])
    (tool,) = provider.asked[0]["tools"]
    assert tool["function"]["parameters"]["properties"] == contract.json_schema["properties"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_tool_is_called_with_what_is_valid(idioms: Any, contract: Contract, waits: bool) -> None:
    called: list[Any] = []

    def save(**arguments: Any) -> str:
        """Save a ticket."""
        called.append(arguments)
        return "saved"

    async def save_later(**arguments: Any) -> str:
        return save(**arguments)

    ai, functions = library("pydantic_ai"), library("pydantic_ai.models.function")
    messages = library("pydantic_ai.messages")
    answers = [text(contract.encode(WRONG)), text(contract.encode(VALUE))]
    heard: list[Any] = []

    def speak(history: Any, info: Any) -> Any:
        heard.append(history[-1])
        (definition,) = info.function_tools
        assert definition.parameters_json_schema == contract.json_schema
        if answers:
            return messages.ModelResponse(parts=[messages.ToolCallPart(definition.name, answers.pop(0))])
        return messages.ModelResponse(parts=[messages.TextPart("done")])

    tools = idioms.toolset((contract, save_later if waits else save))
    agent = ai.Agent(functions.FunctionModel(speak), toolsets=[tools])
    assert (await agent.run("Save it.")).output == "done"
    assert called == [VALUE]
    assert "/tags" in str(heard[1])
