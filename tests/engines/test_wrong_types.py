"""Arguments of any type, for every parameter of every public function: an answer, or an error that names the argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import llm_schema_engines as engines
from llm_schema_engines import (
    CompareOptions,
    DataReport,
    InvalidSchema,
    LocalEngines,
    RegistryError,
    Schema,
    SchemaType,
)

HALF = "\ud800"
VALUES: list[Any] = [
    None,
    5,
    -(10**400),
    1.5,
    float("nan"),
    True,
    "",
    "text",
    HALF,
    b"\xff",
    bytearray(b"{}"),
    [],
    [5],
    [HALF],
    {},
    {5: "{}"},
    {"a": 5},
    {HALF: "{}"},
    {"a.proto": HALF},
    (object(),),
    object(),
    CompareOptions(strictness=5),  # type: ignore[arg-type]
    CompareOptions(apply_defaults="yes"),  # type: ignore[arg-type]
    "x" * 100_000,
]
SCHEMA = '{"type": "object"}'
RIGHT: dict[str, Any] = {
    "schema": SCHEMA,
    "reader": SCHEMA,
    "writer": SCHEMA,
    "new": SCHEMA,
    "old": SCHEMA,
    "data": "{}",
    "target_type": "AVRO",
    "content": SCHEMA.encode(),
    "report": DataReport(True),
    "source": engines.parse(SCHEMA).source,
    "parsed": engines.parse(SCHEMA).parsed,
    "name": "",
    "schema_type": SchemaType.JSON,
}
FUNCTIONS: list[Callable[..., Any]] = [
    engines.parse,
    engines.compare,
    engines.check,
    engines.validate,
    engines.validator,
    engines.convert,
    engines.diff,
    engines.lint,
    engines.detect,
    engines.reask_text,
    LocalEngines,
    Schema,
    engines.parse(SCHEMA).as_reference,
    engines.parse(SCHEMA).with_content,
]
CASES = [
    pytest.param(function, parameter, id=f"{function.__name__}-{parameter}")
    for function in FUNCTIONS
    for parameter in inspect.signature(function).parameters
]


@pytest.mark.parametrize(("function", "parameter"), CASES)
def test_any_value_is_taken_or_refused_by_the_name_of_its_argument(
    function: Callable[..., Any], parameter: str
) -> None:
    needed = [
        p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty
    ]  # the others have defaults that fit
    for value in VALUES:
        arguments = {name: RIGHT[name] for name in needed} | {parameter: value}
        said = refusal(function, arguments)
        assert parameter in said or not said, f"{value!r:.60}: {said}"
        assert len(said) < 2000


def refusal(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """What a function says against its arguments; "" when it takes them, or refuses them as a request."""
    try:
        function(**arguments)
    except RegistryError as error:
        return "" if len(str(error)) < 2000 else str(error)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def test_a_name_with_half_of_a_surrogate_pair_is_refused_for_every_type() -> None:
    for schema in (SCHEMA, '"string"', 'syntax = "proto3"; message A {}'):
        with pytest.raises((ValueError, InvalidSchema), match="references"):
            engines.parse(schema, references={HALF: schema})
