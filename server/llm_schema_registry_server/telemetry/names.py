"""Names of the OpenTelemetry semantic conventions (v1.44) that this server uses, in one place: those of RPC are not stable yet.

Attributes are spelled as in spans (`rpc.method`); as labels of Prometheus they have `_` for `.` (`label`).
"""

from __future__ import annotations

from typing import Final

# Stable.
ERROR_TYPE: Final = "error.type"
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
DB_SYSTEM_NAME: Final = "db.system.name"
DB_OPERATION_NAME: Final = "db.operation.name"
DB_OPERATION_BATCH_SIZE: Final = "db.operation.batch.size"
DB_QUERY_TEXT: Final = "db.query.text"
CLIENT_ADDRESS: Final = "client.address"
SERVER_ADDRESS: Final = "server.address"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
EXCEPTION_TYPE: Final = "exception.type"

# Release candidates and in development.
RPC_SYSTEM_NAME: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_RESPONSE_STATUS_CODE: Final = "rpc.response.status_code"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
PROCESS_PID: Final = "process.pid"

# Our own, where the conventions have no word.
REQUEST_ID: Final = "schema_registry.request_id"
REASON: Final = "schema_registry.error.reason"
SUBJECT: Final = "schema_registry.subject"
CACHE: Final = "schema_registry.cache"
CACHE_OUTCOME: Final = "schema_registry.cache.outcome"
CACHED_ANSWER: Final = "schema_registry.cached_answer"
GUARD: Final = "schema_registry.guard"
QUEUE: Final = "schema_registry.queue"
TASK: Final = "schema_registry.task"

OTHER_METHOD: Final = "_OTHER"
"""http.request.method of a verb that is not known (semantic conventions for HTTP)."""


def label(attribute: str) -> str:
    """The attribute as a label of Prometheus."""
    return attribute.replace(".", "_")
