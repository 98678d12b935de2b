"""What the protos declare about each RPC, by its path on the wire: whether it may be repeated, and whether it writes."""

from __future__ import annotations

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from .v1 import (
    admin_pb2,
    answers_pb2,
    audit_pb2,
    config_pb2,
    conformance_pb2,
    fixes_pb2,
    lifecycle_pb2,
    policy_pb2,
    providers_pb2,
    schema_registry_pb2,
    tickets_pb2,
    tools_pb2,
)

_METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for module in (
        schema_registry_pb2,
        config_pb2,
        lifecycle_pb2,
        tools_pb2,
        answers_pb2,
        providers_pb2,
        fixes_pb2,
        conformance_pb2,
        admin_pb2,
        audit_pb2,
        tickets_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

IDEMPOTENT = frozenset(
    path
    for path, method in _METHODS.items()
    if method.GetOptions().idempotency_level in (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)
)
"""Paths of the calls whose `idempotency_level` says that doing them twice is the same as doing them once."""

MUTATING = frozenset(
    path for path, method in _METHODS.items() if method.GetOptions().Extensions[policy_pb2.policy].mutates
)
"""Paths of the calls that change what the registry knows."""
