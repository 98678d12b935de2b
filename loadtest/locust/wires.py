"""The calls of the load test over gRPC (generated stubs) and over HTTP, with the same answers from both, for greenlets.

Imported after locust, which makes the standard library cooperative.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.experimental.gevent
from geventhttpclient import HTTPClient
from google.protobuf.duration_pb2 import Duration
from loads.corpus import encoded

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc

SECONDS = 30.0
"""After so long a call has no answer."""
CHANNELS = 4
FAULTS = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNIMPLEMENTED", "500", "501"})
"""Codes that no load excuses."""


class Refused(Exception):
    """The server, or the way to it, gave a code instead of an answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Found:
    """A version as it was read."""

    schema_id: str
    subject: str
    ordinal: int
    content: str


@dataclass(frozen=True)
class Registered:
    schema_id: str
    subject: str
    ordinal: int
    created: bool


@dataclass(frozen=True)
class Told:
    """A change. subject "": a heartbeat."""

    subject: str
    ordinal: int


class Wire(Protocol):
    """The calls; each raises Refused."""

    def get(self, schema_id: str) -> Found: ...

    def latest(self, subject: str) -> Found: ...

    def by_version(self, subject: str, version: str) -> Found: ...

    def register(self, subject: str, content: str, schema_type: str) -> Registered: ...

    def validate(self, schema_id: str, data: str) -> tuple[bool, Sequence[str]]:
        """The verdict, and the paths of the errors."""
        ...

    def compatible(self, subject: str, content: str, schema_type: str) -> bool: ...

    def search(self, query: str) -> Sequence[str]:
        """The subjects that were found."""
        ...

    def changes(self, pattern: str) -> Iterator[Told]:
        """From now on, with a heartbeat whenever nothing was sent for a second."""
        ...


class GrpcWire:
    """Generated stubs over a few connections."""

    def __init__(self, host: str, port: int) -> None:
        grpc.experimental.gevent.init_gevent()
        options = (("grpc.use_local_subchannel_pool", 1),)
        self._stubs: list[Any] = [
            schema_registry_pb2_grpc.SchemaRegistryStub(
                grpc.insecure_channel(f"{host}:{port}", options=options)
            )
            for _ in range(CHANNELS)
        ]
        self._turn = 0

    def get(self, schema_id: str) -> Found:
        return _found(self._call("GetSchema", pb.GetSchemaRequest(schema_id=schema_id)).schema)

    def latest(self, subject: str) -> Found:
        return _found(self._call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)).schema)

    def by_version(self, subject: str, version: str) -> Found:
        request = pb.GetSchemaByVersionRequest(subject=subject, version=version)
        return _found(self._call("GetSchemaByVersion", request).schema)

    def register(self, subject: str, content: str, schema_type: str) -> Registered:
        request = pb.RegisterSchemaRequest(
            subject=subject, schema_content=content.encode(), schema_type=_kind(schema_type)
        )
        made = self._call("RegisterSchema", request)
        return Registered(made.schema_id, made.subject, made.ordinal, made.created)

    def validate(self, schema_id: str, data: str) -> tuple[bool, Sequence[str]]:
        request = pb.ValidateDataRequest(
            schema_id=schema_id, data=data.encode(), encoding=pb.DATA_ENCODING_JSON
        )
        report = self._call("ValidateData", request)
        return report.valid, [error.path for error in report.errors]

    def compatible(self, subject: str, content: str, schema_type: str) -> bool:
        request = pb.CompatibilityCheckRequest(
            subject=subject, new_schema=content.encode(), schema_type=_kind(schema_type)
        )
        return bool(self._call("CheckCompatibility", request).compatible)

    def search(self, query: str) -> Sequence[str]:
        return [v.subject for v in self._call("SearchSchemas", pb.SearchSchemasRequest(query=query)).schemas]

    def changes(self, pattern: str) -> Iterator[Told]:
        request = pb.StreamRequest(
            subjects=[pattern],
            event_types=[pb.EVENT_TYPE_SCHEMA_REGISTERED],
            heartbeat_interval=Duration(seconds=1),
        )
        try:
            for event in self._stub().StreamSchemaChanges(request):
                yield Told("", 0) if event.heartbeat else Told(event.subject, event.ordinal)
        except grpc.RpcError as error:
            raise Refused(_code(error)) from error

    def _stub(self) -> Any:
        self._turn += 1
        return self._stubs[self._turn % CHANNELS]

    def _call(self, name: str, request: object) -> Any:
        try:
            return getattr(self._stub(), name)(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise Refused(_code(error)) from error


def _code(error: Any) -> str:  # an RpcError is a Call too, which its type does not say
    return str(error.code().name)


def _kind(name: str) -> pb.SchemaType.ValueType:
    return pb.SchemaType.Value(f"SCHEMA_TYPE_{name}")


def _found(version: pb.SchemaInfo) -> Found:
    return Found(version.id, version.subject, version.ordinal, version.schema_content.decode())


class HttpWire:
    """HTTP/1.1 with connections that are kept."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._client = HTTPClient(
            host, port, concurrency=connections, connection_timeout=SECONDS, network_timeout=SECONDS
        )
        self._streams = HTTPClient(
            host, port, concurrency=1000, connection_timeout=SECONDS, network_timeout=SECONDS
        )

    def get(self, schema_id: str) -> Found:
        return _read(self._call("GET", f"/api/v1/schemas/{schema_id}"))

    def latest(self, subject: str) -> Found:
        return _read(self._call("GET", f"/api/v1/subjects/{subject}/versions/latest"))

    def by_version(self, subject: str, version: str) -> Found:
        return _read(self._call("GET", f"/api/v1/subjects/{subject}/versions/{version}"))

    def register(self, subject: str, content: str, schema_type: str) -> Registered:
        body = {"subject": subject, "schema": content, "schema_type": schema_type}
        made = self._call("POST", "/api/v1/schemas", body)
        return Registered(made["schema_id"], made["subject"], made["ordinal"], made["created"])

    def validate(self, schema_id: str, data: str) -> tuple[bool, Sequence[str]]:
        body = {"data": encoded(data), "encoding": "JSON"}
        report = self._call("POST", f"/api/v1/schemas/{schema_id}/validate", body)
        return report["valid"], [error["path"] for error in report["errors"]]

    def compatible(self, subject: str, content: str, schema_type: str) -> bool:
        body = {"subject": subject, "schema": content, "schema_type": schema_type}
        return bool(self._call("POST", "/api/v1/compatibility/check", body)["compatible"])

    def search(self, query: str) -> Sequence[str]:
        return [v["subject"] for v in self._call("POST", "/api/v1/search", {"query": query})["schemas"]]

    def changes(self, pattern: str) -> Iterator[Told]:
        path = f"/api/v1/changes?subjects={pattern}&event_types=SCHEMA_REGISTERED&heartbeat_interval=1s"
        with _translated():
            response = self._streams.request("GET", path, headers={"accept": "application/x-ndjson"})
            if response.status_code != 200:
                raise Refused(str(response.status_code))
            while line := bytes(response.readline(b"\n")):
                event = json.loads(line)
                if "error" in event:
                    raise Refused(str(event["error"].get("error_code")))
                yield Told("", 0) if event["heartbeat"] else Told(event["subject"], event["ordinal"])

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        headers = {"content-type": "application/json"} if body is not None else {}
        with _translated():
            response = self._client.request(
                method, path, body=json.dumps(body).encode() if body is not None else b"", headers=headers
            )
            answer = bytes(response.read())
        if response.status_code >= 300:
            raise Refused(str(response.status_code))
        return json.loads(answer)


class _translated:
    """Errors of the connection become Refused."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise Refused(type(error).__name__) from error


def _read(answer: Any) -> Found:
    version = answer["schema"]
    content = base64.b64decode(version["schema_content"]).decode()
    return Found(version["id"], version["subject"], version["ordinal"], content)
