"""langchain-core: the output parser, the decoder and tools of the registry."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations import Contract

from .kit import VALUE, WRONG, library, text


@pytest.fixture
def idioms() -> Any:
    library("langchain_core.tools")
    return library("llm_schema_registry.integrations.langchain")


@pytest.fixture
def contract(registry: SchemaRegistry, ticket: str) -> Contract:
    return Contract.load(registry, f"{ticket}@^1", profile="openai-strict", tool=True)


def test_the_parser_ends_a_chain(idioms: Any, contract: Contract) -> None:
    models = library("langchain_core.language_models.fake_chat_models")
    parser = idioms.RegistryOutputParser(contract=contract)
    model = models.FakeListChatModel(responses=[text(contract.encode(VALUE)), text(contract.encode(WRONG))])
    chain = model | parser

    assert chain.invoke("Write a ticket.") == VALUE
    with pytest.raises(library("langchain_core.exceptions").OutputParserException) as refused:
        chain.invoke("Write a ticket.")
    assert refused.value.send_to_llm
    assert refused.value.observation.startswith("/tags")
    assert refused.value.llm_output == text(contract.encode(WRONG))
    assert contract.form.schema in parser.get_format_instructions()


async def test_the_decoder_takes_what_structured_output_gives(idioms: Any, contract: Contract) -> None:
    step = idioms.decoder(contract)

    assert step.invoke(contract.encode(VALUE)) == VALUE
    assert await step.ainvoke(contract.encode(VALUE)) == VALUE
    with pytest.raises(library("langchain_core.exceptions").OutputParserException):
        step.invoke(contract.encode(WRONG))


@pytest.mark.parametrize("waits", [False, True])
async def test_a_tool_is_called_with_what_is_valid(idioms: Any, contract: Contract, waits: bool) -> None:
    called: list[Any] = []

    def save(**arguments: Any) -> str:
        called.append(arguments)
        return "saved"

    async def save_later(**arguments: Any) -> str:
        return save(**arguments)

    tool = idioms.tool(contract, save_later if waits else save)
    call = {"type": "tool_call", "id": "c1", "name": tool.name, "args": contract.encode(VALUE)}
    assert (await tool.ainvoke(call)).content == "saved"
    refused = await tool.ainvoke({**call, "args": contract.encode(WRONG)})
    assert (refused.status, refused.tool_call_id) == ("error", "c1")
    assert refused.content.startswith("/tags")
    assert called == [VALUE]


def test_models_are_shown_the_compiled_schema(idioms: Any, contract: Contract) -> None:
    convert = library("langchain_core.utils.function_calling").convert_to_openai_tool

    shown = convert(idioms.tool(contract, lambda **arguments: None))["function"]
    assert (shown["name"], shown["description"]) == ("Ticket", "What a customer wants")
    assert shown["parameters"]["properties"] == contract.json_schema["properties"]
    assert shown["parameters"]["required"] == contract.json_schema["required"]
