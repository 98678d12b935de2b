"""Every argument of every method, given things of every wrong kind: a TypeError or ValueError that names the argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import (
    AnswerChunk,
    AsyncSchemaRegistry,
    ModelOutcomes,
    RegistryError,
    RetryPolicy,
    SchemaOperand,
    SchemaRegistry,
    Tls,
)
from llm_schema_registry._calls import (
    access,
    admin,
    audit,
    checks,
    conformance,
    credentials,
    providers,
    schemas,
    subjects,
    tools,
)
from llm_schema_registry._live import Live, LiveOptions

ID = "0190b7c8-0000-7000-8000-000000000001"


def deep(levels: int = 20_000) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


class Hostile:
    """Fails wherever it is looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("no representation")


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)

WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**5000,
    1.5,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    "1",
    "ALL",
    "UNKNOWN_99999999999",
    "\ud800",
    b"x",
    ["a"],
    [None],
    [["a"]],
    ["\ud800"],
    (1, 2),
    {"a": 1},
    {1: "a"},
    {1, 2},
    object(),
    int,
    Hostile(),
    deep(),
    CIRCLE,
    [deep()],
    {"a": deep()},
    lambda: None,
]

CALLS = [
    function
    for module in (
        schemas,
        subjects,
        checks,
        tools,
        providers,
        conformance,
        admin,
        credentials,
        access,
        audit,
    )
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if name[0] != "_"
    and function.__module__ == module.__name__
    and name not in ("schema_fields", "local_validation", "operand")
]

NEEDED: dict[str, Any] = {
    "subject": "orders",
    "content": {"type": "object"},
    "schema_id": ID,
    "selectors": [ID],
    "data": {},
    "old": SchemaOperand(content={}),
    "new": SchemaOperand(content={}),
    "source": SchemaOperand(content={}),
    "target_type": "avro",
    "key_id": "0123456789abcdef",
    "name": "ci",
    "grants": ["reader"],
    "holder": "user:ada",
    "role": "reader",
    "permission": "schema:read",
    "policies": {"policies": []},
    "expected_version": 0,
    "position": 0,
    "old_size": 0,
    "kinds": ["enum_case"],
    "items": [],
    "model": "m",
    "schema": SchemaOperand(content={}),
    "profile": "cohere",
    "document": {"id": "own"},
    "decoder": {"format": 1},
}


METHODS_NEED: dict[str, dict[str, Any]] = {
    "model": {"schema": "orders@1"},
    "register": {"model": dict[str, int], "subject": "orders"},
}
"""What is special to methods that no function of _calls makes."""


def arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """What a call needs to be a right one."""
    signature = inspect.signature(function)
    given = {
        name: NEEDED[name] if name in NEEDED and name != "subject" else p.default
        for name, p in signature.parameters.items()
    }
    if "subject" in given and "schema_id" not in given:
        given["subject"] = "orders"
    return {name: value for name, value in given.items() if value is not inspect.Parameter.empty}


@contextmanager
def named(argument: str, value: object) -> Iterator[None]:
    """What is inside may refuse the argument, and must name it then."""
    refusal = ""
    try:
        yield
    except (TypeError, ValueError) as error:
        refusal = str(error)
    if refusal:
        assert re.search(rf"\b{re.escape(argument)}\b", refusal), f"{argument}={type(value)}: {refusal}"
        assert len(refusal) < 1000


@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_every_argument_of_every_call(function: Callable[..., Any]) -> None:
    right = arguments(function)
    function(**right)
    for name in right:
        for wrong in WRONG:
            with named(name, wrong):
                function(**{**right, name: wrong})


CLIENT = [name for name in inspect.signature(SchemaRegistry.__init__).parameters if name != "self"]


@pytest.mark.parametrize("kind", [SchemaRegistry, AsyncSchemaRegistry])
@pytest.mark.parametrize("name", CLIENT)
async def test_every_argument_of_the_constructors(kind: Any, name: str) -> None:
    for wrong in WRONG:
        with named(name, wrong):
            client = kind(**{name: wrong})
            done = client.close()
            if inspect.isawaitable(done):
                await done


@pytest.mark.parametrize("kind", [RetryPolicy, Tls])
def test_every_field_of_the_options(kind: Any) -> None:
    for name in inspect.signature(kind).parameters:
        for wrong in WRONG:
            with named(name, wrong):
                kind(**{name: wrong})


def test_every_argument_of_a_live_cache() -> None:
    right: dict[str, Any] = {
        "subjects": (),
        "ttl": 1.0,
        "on_change": None,
        "cache_bytes": 1000,
        "heartbeat": 1.0,
        "offline_timeout": 1.0,
        "stale_if_error": 0.0,
    }
    assert list(right) == [field.name for field in fields(LiveOptions)]
    for name in right:
        for wrong in WRONG:
            with named(name, wrong):
                Live(LiveOptions(**{**right, name: wrong}))


@pytest.fixture(params=[SchemaRegistry, AsyncSchemaRegistry], ids=["blocking", "asyncio"])
def nowhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client whose calls all fail at once, before anything is sent."""

    client = request.param("localhost:1", retry=RetryPolicy(attempts=1))

    def refused(*_: object, **__: object) -> Any:
        raise RegistryReached

    monkeypatch.setattr(client._transport, "unary", refused)
    monkeypatch.setattr(client._transport, "stream", refused)
    yield client
    if request.param is SchemaRegistry:
        client.close()


class RegistryReached(RegistryError):
    """A call got so far that it would have been sent."""

    def __init__(self) -> None:
        super().__init__("sent")


METHODS = [
    name
    for name, value in inspect.getmembers(SchemaRegistry, inspect.isfunction)
    if name[0] != "_" and name not in ("close", "cached")
]


@pytest.mark.parametrize("method", METHODS)
async def test_every_argument_of_every_method(nowhere: Any, method: str) -> None:
    function = getattr(nowhere, method)
    right = arguments(function)
    signature = inspect.signature(function).parameters
    if "items" in signature:
        item: Any = AnswerChunk("1", b"{}", schema_id=ID) if method == "validate_stream" else (ID, {})
        item = ModelOutcomes("m", 1, 1, schema_id=ID) if method == "report_outcomes" else item
        right = {**right, "items": [item]}
    right |= METHODS_NEED.get(method, {})
    positional = [name for name in list(signature)[:1] if name == "items"]
    for name in right:
        for wrong in [w for w in WRONG if not callable(w) or isinstance(w, type)]:
            given = {**right, name: wrong}
            with named(name, wrong), suppress(RegistryError):
                first = [given.pop(items) for items in positional if items in given]
                await _first(function(*first, **given))


async def _first(result: Any) -> None:
    """Has a lazy answer begin."""
    if inspect.isawaitable(result):
        await result
    elif hasattr(result, "__anext__"):
        async for _ in result:
            return
    elif hasattr(result, "__next__"):
        for _ in result:
            return


def test_the_name_of_a_file_is_no_schema() -> None:
    for name in ("order.json", "schemas/order.avsc", "./a/b.proto", "C:/x/order.json"):
        with pytest.raises(ValueError, match=re.escape(f"write pathlib.Path({name!r})")):
            schemas.register_schema("orders", name)
    for text in (
        '"string"',
        '{"$ref": "order.json"}',
        'import "a.proto";',
        'syntax = "proto3"; import "a.proto";',
    ):
        schemas.register_schema("orders", text)


def test_values_that_nest_deeply_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="data: nests too deeply"):
        checks.validate_data(ID, deep())
    with pytest.raises(ValueError, match="content: nests too deeply"):
        schemas.register_schema("orders", {"a": deep()})


def test_a_secret_is_never_shown() -> None:
    for wrong in (
        {"token": b"s3cret"},
        {"metadata": {"authorization": b"s3cret"}},
        {"metadata": {"authorization": "s3cret\n"}},
    ):
        with pytest.raises((TypeError, ValueError)) as refused:
            SchemaRegistry(**wrong)  # type: ignore[arg-type] # that is the point
        assert "s3cret" not in str(refused.value)


def test_a_path_is_read(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text("{}")
    assert schemas.register_schema("orders", file).request.schema_content == b"{}"
