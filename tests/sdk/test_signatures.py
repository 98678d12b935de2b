"""The methods are plain source: generated files are in step, signatures are true, both clients are equal."""

from __future__ import annotations

import importlib.util
import inspect
import json
import pickle
import sys
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    ChangeClass,
    Code,
    Registration,
    SchemaRegistry,
    SchemaState,
    SchemaType,
    enums,
)
from tests.api.server import ROOT

METHODS = sorted(
    name for name, value in inspect.getmembers(SchemaRegistry) if name[0] != "_" and inspect.isfunction(value)
)


def test_the_generated_methods_are_in_step_with_the_calls() -> None:
    generate = _generator()
    for flavour in (generate.BLOCKING, generate.ASYNC):
        file = generate.PACKAGE / flavour.file
        assert generate.source(flavour) == file.read_text(encoding="utf-8"), "run `make sdk`"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_sdk", ROOT / "clients" / "python" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["generate_sdk"] = importlib.util.module_from_spec(spec)
    # its dataclasses look the module up by name
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [m for m in METHODS if m != "close"])
def test_both_clients_take_the_same_arguments(name: str) -> None:
    blocking, asynchronous = (
        inspect.signature(getattr(c, name)).parameters for c in (SchemaRegistry, AsyncSchemaRegistry)
    )
    assert list(blocking) == list(asynchronous)
    for mine, other in zip(blocking.values(), asynchronous.values(), strict=True):
        assert (mine.kind, mine.default) == (other.kind, other.default)
        if mine.name != "items":  # an asyncio client also takes asynchronous iterables
            assert mine.annotation == other.annotation
    assert inspect.getdoc(getattr(SchemaRegistry, name)) == inspect.getdoc(getattr(AsyncSchemaRegistry, name))


@pytest.mark.parametrize("client", [SchemaRegistry, AsyncSchemaRegistry])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_shows_its_name_types_and_place(client: type, name: str) -> None:
    method = getattr(client, name)
    hints = get_type_hints(method)
    signature = inspect.signature(method)

    assert method.__qualname__.endswith(f".{name}")
    assert method.__doc__
    assert "return" in hints
    assert {p for p in signature.parameters if p != "self"} <= set(hints)
    assert f"def {name}(" in inspect.getsource(method)


def test_the_signature_is_the_true_one() -> None:
    signature = inspect.signature(SchemaRegistry.register_schema)
    assert list(signature.parameters)[:4] == ["self", "subject", "content", "schema_type"]
    assert get_type_hints(SchemaRegistry.register_schema)["return"] is Registration
    assert inspect.iscoroutinefunction(AsyncSchemaRegistry.register_schema)


ENUMERATIONS = [k for k in vars(enums).values() if isinstance(k, type) and issubclass(k, enums.WireEnum)]
KINDS = [*(k for k in ENUMERATIONS if k is not enums.WireEnum), Code]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_an_enumeration_is_its_name_everywhere(kind: Any) -> None:
    for member in kind:
        assert member == member.name == str(member) == f"{member}" == member.value
        assert json.loads(json.dumps({"it": member, member: 1})) == {"it": member.name, member.name: 1}
        assert kind(member.number) is kind(member.name.lower()) is kind(member) is member
        assert pickle.loads(pickle.dumps(member)) is member
        assert bool(member) is (member.number != 0)
        assert int(member) == member.number
        assert {member.name: 1}[member] == 1


def test_an_unknown_number_keeps_its_name_when_it_travels() -> None:
    unknown = SchemaType(99)
    assert pickle.loads(pickle.dumps(unknown)) == unknown == "UNKNOWN_99"
    assert (unknown.number, SchemaType("UNKNOWN_99").number) == (99, 99)


def test_members_are_ordered_by_their_numbers_among_their_kind() -> None:
    assert ChangeClass.NONE < ChangeClass.COMPATIBLE < ChangeClass.BREAKING
    assert max(ChangeClass) is ChangeClass.BREAKING
    assert ChangeClass.COMPATIBLE <= "breaking"
    with pytest.raises(TypeError, match="ordered among its kind"):
        assert SchemaState.ACTIVE < SchemaType.AVRO
    with pytest.raises(ValueError, match="mild"):
        assert ChangeClass.NONE < "mild"


async def test_a_member_of_another_enumeration_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"a SchemaType or its name such as 'JSON' is expected, not SchemaState\.ACTIVE"
    ):
        SchemaRegistry().register_schema("s", {}, SchemaState.ACTIVE)
