"""The services that this server offers, as their descriptors describe them. The protos are the only list."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from llm_schema_registry.v1 import (
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

from .cached_answers import CACHED_METHODS
from .protobuf.method import Method, methods

SERVICES: tuple[ServiceDescriptor, ...] = (
    schema_registry_pb2.DESCRIPTOR.services_by_name["SchemaRegistry"],
    config_pb2.DESCRIPTOR.services_by_name["ConfigService"],
    lifecycle_pb2.DESCRIPTOR.services_by_name["LifecycleService"],
    tools_pb2.DESCRIPTOR.services_by_name["ToolsService"],
    answers_pb2.DESCRIPTOR.services_by_name["AnswerService"],
    providers_pb2.DESCRIPTOR.services_by_name["ProviderService"],
    fixes_pb2.DESCRIPTOR.services_by_name["FixService"],
    conformance_pb2.DESCRIPTOR.services_by_name["ConformanceService"],
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
    tickets_pb2.DESCRIPTOR.services_by_name["TicketService"],
)


def load() -> tuple[Method, ...]:
    """Every RPC of every service; raises TypeError for one without a permission, or that contradicts itself."""
    return methods(SERVICES, policy_pb2.policy, CACHED_METHODS)
