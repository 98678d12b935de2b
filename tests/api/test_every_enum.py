"""Every member of every enum of the contract: as a value of a request it is taken or refused, never an internal error; and
every value that the server may answer with has a member of the same name and number.

Both are generated from the descriptors and from the server's enums, so that a new member is tested without a new test.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

import llm_schema_engines.formats.conversion.losses
import llm_schema_engines.model
import llm_schema_registry_server.model

from .wires import METHODS, CallFailed, Wire

CONTRACT = next(iter(METHODS.values())).containing_service.file.package
NAMES_IN_THE_CODE = {
    "ConversionLoss.Kind": "LossKind",
    "SchemaDifference.Kind": "DifferenceKind",
    "HealthCheckResponse.Status": "HealthStatus",
    "ComponentHealth.Status": "ComponentStatus",
}
"""Enums of the contract that have another name in the code."""


def enums(message: Descriptor, seen: set[str]) -> Iterator[EnumDescriptor]:
    """The enums that a message holds, nested ones too."""
    if message.full_name in seen or not message.full_name.startswith(f"{CONTRACT}."):
        return
    seen.add(message.full_name)
    for member in message.fields:
        if member.enum_type is not None:
            yield member.enum_type
        if member.message_type is not None:
            yield from enums(member.message_type, seen)


def places(
    message: Descriptor, path: tuple[FieldDescriptor, ...] = ()
) -> Iterator[tuple[FieldDescriptor, ...]]:
    """The paths to all fields of a request that hold an enum."""
    for member in message.fields:
        here = (*path, member)
        if member.enum_type is not None and member.enum_type.file.package == CONTRACT:
            yield here
        inner = member.message_type
        if (
            inner is not None
            and inner.full_name.startswith(f"{CONTRACT}.")
            and inner not in [m.containing_type for m in here]
        ):
            yield from places(inner, here)


REQUESTS = [
    (rpc, place)
    for rpc, method in sorted(METHODS.items())
    if not method.server_streaming and not method.client_streaming
    for place in places(method.input_type)
]


@pytest.mark.parametrize(
    ("rpc", "place"), REQUESTS, ids=[f"{rpc}-{'.'.join(f.name for f in place)}" for rpc, place in REQUESTS]
)
def test_every_member_in_a_request_is_taken_or_refused(
    wire: Wire, rpc: str, place: tuple[FieldDescriptor, ...]
) -> None:
    if wire.name == "grpcio":
        pytest.skip("the handlers are the same")
    for number in [*(value.number for value in place[-1].enum_type.values), 77]:
        request = message_factory.GetMessageClass(METHODS[rpc].input_type)()
        if rpc == "SetConfig":
            request.subject = "every.enum"  # not the settings of the registry, which other tests go by
        _set(request, place, number)
        failure = _failure(wire, rpc, request)
        if failure is not None:
            assert failure.reason not in ("", "INTERNAL", "UNKNOWN"), (number, failure)
            assert failure.http in (0, 501) or failure.http < 500, (number, failure)


def _failure(wire: Wire, rpc: str, request: Message) -> CallFailed | None:
    """How the call failed; None when it did not, or when HTTP has no path for a request that names nothing."""
    try:
        wire.call(rpc, request)
    except CallFailed as error:
        return error
    except StopIteration:
        return None
    return None


def _set(request: Message, place: tuple[FieldDescriptor, ...], number: int) -> None:
    holder = request
    for member in place[:-1]:
        found = getattr(holder, member.name)
        holder = found.add() if member.is_repeated else found
        holder.SetInParent()
    last = place[-1]
    if last.is_repeated:
        getattr(holder, last.name).append(number)
    else:
        setattr(holder, last.name, number)


def enums_of_the_code() -> dict[str, type[enum.Enum]]:
    found: dict[str, type[enum.Enum]] = {}
    modules = [llm_schema_engines.formats.conversion.losses]
    for package in (llm_schema_engines.model, llm_schema_registry_server.model):
        modules += [
            importlib.import_module(f"{package.__name__}.{module.name}")
            for module in pkgutil.iter_modules(package.__path__)
        ]
    for module in modules:
        found |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, enum.Enum) and value.__members__
        }
    return found


IN_ANSWERS = {
    e.full_name: e
    for method in METHODS.values()
    for message in (method.input_type, method.output_type)
    for e in enums(message, set())
}


@pytest.mark.parametrize("full_name", sorted(IN_ANSWERS))
def test_the_contract_and_the_code_have_the_same_members(full_name: str) -> None:
    contract = IN_ANSWERS[full_name]
    short = full_name.removeprefix(f"{CONTRACT}.")
    code = enums_of_the_code().get(NAMES_IN_THE_CODE.get(short, short.rpartition(".")[2]))
    if code is None:
        pytest.skip("the code has no enum of this name")
    prefix = "".join(f"_{c}" if c.isupper() else c for c in contract.name).strip("_").upper() + "_"
    known = {v.name.removeprefix(prefix): v.number for v in contract.values if v.number}

    for name, member in code.__members__.items():
        if isinstance(member.value, int) and member.value == 0:
            continue
        assert name in known, f"{short} lacks {name}, which the server may answer with"
        if isinstance(member.value, int):
            assert known[name] == member.value
