"""How the MCP server reaches a registry: the one port, and how a call over it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.rpc import code_pb2, error_details_pb2

UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND = "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND"
INVALID_ARGUMENT = "INVALID_ARGUMENT"
REGISTRY = "/schema_registry.v1.SchemaRegistry/"
LIFECYCLE = "/schema_registry.v1.LifecycleService/"
TOOLS = "/schema_registry.v1.ToolsService/"
ANSWERS = "/schema_registry.v1.AnswerService/"


@dataclass(eq=False)
class CallFailed(Exception):
    """A call that the registry refused. code: the name of the google.rpc code. fields: what is wrong with which field.
    headers: what HTTP says beside the failure, when the wire is HTTP."""

    code: str
    reason: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
    retry_seconds: float | None = None
    report: Any = None
    """A CompatibilityReport or SchemaValidationReport that came with the failure; None without one."""
    headers: tuple[tuple[str, str], ...] = ()


def from_status(status: Any) -> CallFailed:
    """The failure that a google.rpc.Status in an answer tells of."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return CallFailed(code_pb2.Code.Name(status.code), info.reason, status.message, facts=dict(info.metadata))


class Registry(Protocol):
    """A registry, called as one caller with what that one may do. Messages are those of `llm_schema_registry.v1`."""

    async def call(self, path: str, request: Any) -> Any:
        """The answer of an RPC with one request and one answer; `path` is its name on the wire. Raises CallFailed."""
        ...

    async def judge(self, request: Any) -> Any:
        """The answer to a single request of ValidateStream. Raises CallFailed."""
        ...

    def changes(self, request: Any) -> AsyncGenerator[Any, None]:
        """The events of StreamSchemaChanges, with heartbeats, without end. Raises CallFailed."""
        ...

    async def admit(self) -> None:
        """Before an answer that needs no call of the registry: who asks is authenticated, and counted. Raises CallFailed."""
        ...

    def caller(self) -> str:
        """Who calls, as far as the calls so far have told: what a confirmation is bound to."""
        ...
