"""pydantic-ai: outputs and tools whose schemas are the registry's.

ticket = Contract.load(registry, "support.ticket@^2", profile="openai-strict")
agent = Agent(model, output_type=output_type(ticket))
agent.output_validator(output_validator(ticket))
agent = Agent(model, toolsets=[toolset((order, place_order))])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, needs

try:
    from pydantic_ai import ModelRetry, StructuredDict, Tool
    from pydantic_ai.toolsets import FunctionToolset
except ModuleNotFoundError as error:
    raise needs("pydantic-ai", "pydantic-ai", error) from error


def output_type(contract: Contract) -> type[dict[str, Any]]:
    """What an agent answers: a dict, asked for with the compiled schema. Give `output_validator` to the agent too, or use NativeOutput
    and ToolOutput of pydantic-ai around it."""
    found: type[dict[str, Any]] = StructuredDict(contract.json_schema, name=contract.name)
    return found


def output_validator(contract: Contract) -> Callable[[Any], Any]:
    """For `agent.output_validator`: the output decoded and valid under the schema, or a ModelRetry with what is wrong."""

    def valid_under_the_schema(output: Any) -> Any:
        return _decoded(contract, output)

    return valid_under_the_schema


def tool(contract: Contract, function: Callable[..., Any]) -> Tool[Any]:
    """A tool whose arguments are decoded and valid under the schema when `function` is called with them, by keyword. Arguments that are
    not valid make a ModelRetry."""

    async def call_async(**arguments: Any) -> Any:
        return await function(**_decoded(contract, arguments))

    def call(**arguments: Any) -> Any:
        return function(**_decoded(contract, arguments))

    made: Callable[..., Any] = call_async if inspect.iscoroutinefunction(function) else call
    description = contract.envelope.get("description") or inspect.getdoc(function)
    return Tool.from_schema(made, contract.name, description, contract.json_schema)


def toolset(*tools: tuple[Contract, Callable[..., Any]]) -> FunctionToolset[Any]:
    """A toolset of contracts and the functions behind them."""
    return FunctionToolset([tool(contract, function) for contract, function in tools])


def _decoded(contract: Contract, value: Any) -> Any:
    try:
        return contract.decode(value)
    except AnswerRefused as refused:
        raise ModelRetry(refused.text) from refused
