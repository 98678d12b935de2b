"""langchain-core: tools and an output parser whose schemas are the registry's.

model.with_structured_output(ticket.json_schema, method="json_schema") | decoder(ticket)
model | RegistryOutputParser(contract=ticket)
model.bind_tools([tool(order, place_order)])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, needs

try:
    from langchain_core.exceptions import OutputParserException
    from langchain_core.output_parsers import BaseOutputParser
    from langchain_core.runnables import RunnableLambda
    from langchain_core.tools import StructuredTool, ToolException
except ModuleNotFoundError as error:
    raise needs("langchain-core", "langchain", error) from error


class RegistryOutputParser(BaseOutputParser[Any]):  # type: ignore[misc]  # langchain-core may not be installed
    """Reads the text of a model's answer: decoded, and valid under the schema. What is not raises OutputParserException, whose
    observation asks the model again."""

    contract: Any
    """The Contract."""

    def parse(self, text: str) -> Any:
        return _parsed(self.contract, text)

    def get_format_instructions(self) -> str:
        return f"Answer with one JSON document that is valid under this JSON Schema:\n{self.contract.form.schema}"

    @property
    def _type(self) -> str:
        return "llm_schema_registry"


def decoder(contract: Contract) -> RunnableLambda[Any, Any]:
    """A step that decodes what `with_structured_output(contract.json_schema)` gives, and raises as RegistryOutputParser does."""
    return RunnableLambda(lambda value: _parsed(contract, value))


def tool(contract: Contract, function: Callable[..., Any]) -> StructuredTool:
    """A tool whose arguments are decoded and valid under the schema when `function` is called with them, by keyword. Arguments that are
    not valid are answered with what is wrong, so that the model calls again."""

    def decoded(arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = contract.decode(arguments)
        except AnswerRefused as refused:
            raise ToolException(refused.text) from refused
        return found

    async def call_async(**arguments: Any) -> Any:
        return await function(**decoded(arguments))

    def call(**arguments: Any) -> Any:
        return function(**decoded(arguments))

    waits = inspect.iscoroutinefunction(function)
    return StructuredTool.from_function(
        None if waits else call,
        coroutine=call_async if waits else None,
        name=contract.name,
        description=contract.envelope.get("description") or inspect.getdoc(function) or contract.name,
        args_schema=contract.json_schema,
        infer_schema=False,
        handle_tool_error=True,
    )


def _parsed(contract: Contract, value: Any) -> Any:
    try:
        return contract.decode(value)
    except AnswerRefused as refused:
        raise OutputParserException(
            refused, observation=refused.text, llm_output=refused.answer, send_to_llm=True
        ) from refused
