"""llama-index-core: the output parser, the output class and tools of the registry."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations import AnswerRefused, Contract

from .kit import VALUE, WRONG, library, text

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library itself


@pytest.fixture
def idioms() -> Any:
    library("llama_index.core")
    return library("llm_schema_registry.integrations.llama_index")


@pytest.fixture
def contract(registry: SchemaRegistry, ticket: str) -> Contract:
    return Contract.load(registry, f"{ticket}@^1", profile="openai-strict", tool=True)


def test_the_parser_reads_answers_and_tells_the_schema(idioms: Any, contract: Contract) -> None:
    parser = idioms.RegistryOutputParser(contract)

    assert parser.parse(text(contract.encode(VALUE))) == VALUE
    with pytest.raises(AnswerRefused, match="/tags"):
        parser.parse(text(contract.encode(WRONG)))
    assert contract.form.schema in parser.format("Write a ticket.")


def test_a_program_gives_an_instance_of_the_output_class(idioms: Any, contract: Contract) -> None:
    answer = text(contract.encode(VALUE))

    class Speaker(library("llama_index.core.llms").MockLLM):  # type: ignore[misc]
        def _generate_text(self, length: int) -> str:
            return answer

    program = library("llama_index.core.program").LLMTextCompletionProgram.from_defaults(
        output_cls=idioms.output_class(contract),
        llm=Speaker(max_tokens=1),
        prompt_template_str="Write a ticket.",
    )
    found = program()
    assert (found.category, found.facts) == ("billing", {"plan": "pro"})


@pytest.mark.parametrize("waits", [False, True])
async def test_a_tool_is_called_with_what_is_valid(idioms: Any, contract: Contract, waits: bool) -> None:
    called: list[Any] = []

    def save(**arguments: Any) -> str:
        called.append(arguments)
        return "saved"

    async def save_later(**arguments: Any) -> str:
        return save(**arguments)

    tool = idioms.tool(contract, save_later if waits else save)
    assert (await tool.acall(**contract.encode(VALUE))).content == "saved"
    with pytest.raises(AnswerRefused):
        await tool.acall(**contract.encode(WRONG))
    assert called == [VALUE]
    shown = tool.metadata.to_openai_tool()["function"]
    assert shown["parameters"]["properties"] == contract.json_schema["properties"]
