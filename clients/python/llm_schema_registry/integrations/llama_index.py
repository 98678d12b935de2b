"""llama-index-core: tools, an output parser and an output class whose schemas are the registry's.

llm.structured_predict(output_class(ticket), prompt)
FunctionTool: tool(order, place_order)
RegistryOutputParser(ticket).parse(text)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .contract import Contract
from .errors import needs

try:
    from llama_index.core.tools import FunctionTool
    from llama_index.core.types import BaseOutputParser
except ModuleNotFoundError as error:
    raise needs("llama-index-core", "llama-index", error) from error

from .pydantic import RegistryModel, answer_class


class RegistryOutputParser(BaseOutputParser):  # type: ignore[misc]  # llama-index-core may not be installed
    """Reads the text of a model's answer: decoded, and valid under the schema. What is not raises AnswerRefused."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def parse(self, output: str) -> Any:
        return self.contract.decode(output)

    def format(self, query: str) -> str:
        return f"{query}\n\nAnswer with one JSON document that is valid under this JSON Schema:\n{self.contract.form.schema}"


def output_class(contract: Contract, name: str = "") -> type[RegistryModel]:
    """The class to give as `output_cls`. Raises ValueError for a schema that does not describe an object."""
    return answer_class(contract, name)


def tool(contract: Contract, function: Callable[..., Any]) -> FunctionTool:
    """A tool whose arguments are decoded and valid under the schema when `function` is called with them, by keyword. A call with
    arguments that are not valid raises AnswerRefused, whose text the agent shows the model."""

    def call(**arguments: Any) -> Any:
        return function(**contract.decode(arguments))

    async def call_async(**arguments: Any) -> Any:
        return await function(**contract.decode(arguments))

    waits = inspect.iscoroutinefunction(function)
    return FunctionTool.from_defaults(
        fn=None if waits else call,
        async_fn=call_async if waits else None,
        name=contract.name,
        description=contract.envelope.get("description") or inspect.getdoc(function) or contract.name,
        fn_schema=answer_class(contract),
    )
