"""The table of RPCs, read from service descriptors. Names no RPC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from .call import Binding, Method


def methods(services: Sequence[ServiceDescriptor], policy_extension: Any) -> tuple[Method, ...]:
    """Every RPC of `services`, in the order of their files.

    `policy_extension` is the method option with the fields `permission` and `mutates`. Raises TypeError for an RPC
    that declares no permission: nothing is served by accident.
    """
    return tuple(_method(service, m, policy_extension) for service in services for m in service.methods)


def snake_case(name: str) -> str:
    """`GetSchemaByVersion` -> `get_schema_by_version`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _method(service: ServiceDescriptor, rpc: MethodDescriptor, policy_extension: Any) -> Method:
    policy = rpc.GetOptions().Extensions[policy_extension]
    if not policy.permission:
        raise TypeError(f"{rpc.full_name} declares no permission; add option (policy) to it")
    return Method(
        service=service.full_name,
        name=rpc.name,
        request_type=message_factory.GetMessageClass(rpc.input_type),
        response_type=message_factory.GetMessageClass(rpc.output_type),
        client_streaming=rpc.client_streaming,
        server_streaming=rpc.server_streaming,
        permission=policy.permission,
        mutates=policy.mutates,
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
