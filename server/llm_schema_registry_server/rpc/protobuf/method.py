"""RPCs as their service descriptors describe them. Names no RPC."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from ...calls.operation import Idempotency, Operation, Unnamed
from ...errors import MalformedRequest
from .resources import resources_of


@dataclass(frozen=True, slots=True)
class Binding:
    """One google.api.http rule: verb, path template, and the field that the body fills ("*" all, "" none)."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: the operation that it is, and its form on the wire. `service` is the full name of its service."""

    operation: Operation
    service: str
    request_type: type[Message]
    response_type: type[Message]
    bindings: tuple[Binding, ...] = ()
    path: str = field(init=False)
    """The name on the gRPC wire: `/schema_registry.v1.SchemaRegistry/GetSchema`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.operation.id)

    @property
    def name(self) -> str:
        """The name in its service: `GetSchema`."""
        return self.operation.name

    def read(self, request: bytes) -> Message | MalformedRequest:
        """The request message, or what is wrong with the bytes: in either form the pipeline takes it."""
        try:
            return self.request_type.FromString(request)
        except DecodeError as error:
            return MalformedRequest(self.request_type.DESCRIPTOR.full_name, str(error))


def methods(
    services: Sequence[ServiceDescriptor], policy_extension: Any, cached: Collection[str] = ()
) -> tuple[Method, ...]:
    """Every RPC of `services`, in the order of their files.

    `policy_extension` is the method option with the fields `permission`, `mutates`, `unnamed` and `lookup`; `cached` are the paths of those whose
    answers may be cached. Raises TypeError for an RPC that declares no permission (nothing is served by accident), and for
    a path in `cached` that is none.
    """
    found = tuple(
        _method(service, m, policy_extension, cached) for service in services for m in service.methods
    )
    if unknown := set(cached) - {m.path for m in found}:
        raise TypeError(f"answers of {', '.join(sorted(unknown))} cannot be cached: there is no such method")
    return found


def snake_case(name: str) -> str:
    """`GetSchemaByVersion` -> `get_schema_by_version`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _method(
    service: ServiceDescriptor, rpc: MethodDescriptor, policy_extension: Any, cached: Collection[str]
) -> Method:
    options = rpc.GetOptions()
    policy = options.Extensions[policy_extension]
    if not policy.permission:
        raise TypeError(f"{rpc.full_name} declares no permission; add option (policy) to it")
    path = f"/{service.full_name}/{rpc.name}"
    return Method(
        operation=Operation(
            id=path,
            name=rpc.name,
            permission=policy.permission,
            mutates=policy.mutates,
            client_streaming=rpc.client_streaming,
            server_streaming=rpc.server_streaming,
            idempotency=Idempotency(options.idempotency_level),
            resources=resources_of(rpc.input_type),
            cached=path in cached,
            unnamed=Unnamed(policy.unnamed),
            lookup=policy.lookup,
        ),
        service=service.full_name,
        request_type=message_factory.GetMessageClass(rpc.input_type),
        response_type=message_factory.GetMessageClass(rpc.output_type),
        bindings=tuple(_bindings(rpc)),
    )


def _bindings(rpc: MethodDescriptor) -> Iterator[Binding]:
    rule = rpc.GetOptions().Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        if verb == "custom":
            yield Binding(binding.custom.kind.upper(), binding.custom.path, binding.body)
        elif verb is not None:
            yield Binding(verb.upper(), getattr(binding, verb), binding.body)
