"""A hostile value in any one field of any RPC, on every back end and wire, is answered or refused: never an internal error.

Generated from the descriptors: a new RPC needs a right request in `RIGHT`, a new field nothing. `make test` tries a seeded
sample of the values of each field, `make test-deep` all of them (tests/api/hostile.py).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from llm_schema_registry.v1 import access_pb2, audit_pb2, credentials_pb2, providers_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.postgres import shared_server
from tests.support.profiles import profile

from .helpers import JSON, V1, V2_COMPATIBLE
from .hostile import Path, Place, encodings, escaped, json_texts, places
from .server import ServerProcess
from .wires import METHODS, GrpcWire

SAMPLE = 2
"""Values of each field in `make test`."""
SEED = 12
STREAM_SECONDS = 0.1
"""A subscription that has not failed within this time stands."""
BACK_ENDS = ("memory", "sqlite", "postgres")
NEEDED = {
    # Reasons that are no fault of a field.
    "SUBJECT_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "VERSION_NOT_FOUND",
    "CONFIG_NOT_FOUND",
    "ROUTE_NOT_FOUND",
    "VERB_NOT_ALLOWED",
    "MALFORMED_REQUEST",
    "INCOMPATIBLE_SCHEMA",
    "LINT_REFUSED",
    "TRANSITION_REFUSED",
    "VERSION_NOT_GREATER",
    "LEVEL_MISMATCH",
    "SUBJECT_READ_ONLY",
    "SCHEMA_TYPE_MISMATCH",
    "HAS_DEPENDENTS",
    "NOT_SOFT_DELETED",
    "API_KEY_NOT_FOUND",
    "GRANT_NOT_FOUND",
    "PROFILE_NOT_FOUND",
    "DATA_REFUSED",
    "CONCURRENT_UPDATE",
    "CONVERSION_REFUSED",
    "UNSUPPORTED_SCHEMA_TYPE",
    "INVALID_SCHEMA",  # of another type than before
    "LIMIT_EXCEEDED",
    "DEADLINE_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "REVISION_COMPACTED",
}
PYTHON = re.compile(
    r"Traceback|object has no|unsupported operand|invalid literal|KeyError|NoneType|TypeError|ValueError|'str'|"
    r"<class|not subscriptable|must be set to|bad argument|Message type|ParseError|takes no|\bdict\b|\bNone\b"
)


@dataclass
class Registry:
    """A server on one back end, with something in it."""

    name: str
    server: ServerProcess
    grpc: GrpcWire
    subjects: Iterator[int]
    schema_id: str = ""

    def fresh(self) -> tuple[str, str]:
        """A new subject and the id of its first version; a second one follows it."""
        subject = f"fuzz.{next(self.subjects)}"
        first = self._register(subject, V1)
        self._register(subject, V2_COMPATIBLE)
        return subject, first

    def _register(self, subject: str, content: bytes) -> str:
        request = pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=JSON)
        answer: pb.RegisterSchemaResponse = self.grpc.call("RegisterSchema", request)
        return answer.schema_id

    def key(self) -> str:
        """The id of a new API key."""
        request = credentials_pb2.CreateApiKeyRequest(
            name=f"fuzz-{next(self.subjects)}", grants=[credentials_pb2.RoleGrant(role="reader")]
        )
        made: credentials_pb2.CreateApiKeyResponse = self.grpc.call("CreateApiKey", request)
        return made.api_key.key_id

    def grant(self) -> dict[str, str]:
        """A new grant."""
        made = {"holder": f"user:fuzz-{next(self.subjects)}", "role": "reader", "scope": "fuzz.*"}
        self.grpc.call("SetGrant", access_pb2.SetGrantRequest(**made))
        return made

    def own_profile(self) -> str:
        """The id of a new profile."""
        made = _own_profile(f"fuzz-{next(self.subjects)}")
        self.grpc.call("PutProfile", providers_pb2.PutProfileRequest(**made))
        return made["profile"]

    def audited(self) -> int:
        """Entries of the audit log that have their place in it: at least two."""
        for _ in range(300):
            answer: audit_pb2.GetAuditCheckpointResponse = self.grpc.call(
                "GetAuditCheckpoint", audit_pb2.GetAuditCheckpointRequest()
            )
            if answer.size >= 2:
                return answer.size
            time.sleep(0.1)
        raise AssertionError("nothing comes into the audit log")

    def exchange(self, verb: str, path: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
        """One request as these bytes; a path that no client would send arrives as it is."""
        host, port = "127.0.0.1", self.server.ports["http"]
        head = [f"{verb} {path} HTTP/1.1", "host: x", "connection: close"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            head.append(f"content-length: {len(body)}")
            if "content-type" not in headers:
                head.append("content-type: application/json")
        with socket.create_connection((host, port), timeout=30) as raw:
            raw.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + (body or b""))
            answer = http.client.HTTPResponse(raw, method=verb)
            answer.begin()
            if headers.get("accept") == "text/event-stream" and answer.status == 200:
                return 200, b""
            return answer.status, answer.read()


class Problems(list[str]):
    """What went wrong, of all cases of a test: one fault has many, and the next one should be seen too."""

    @contextmanager
    def case(self, where: str) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.append(f"{where}: {str(error)[:600]}")

    def none(self) -> None:
        assert not self, f"{len(self)} problems:\n" + "\n".join(self[:40])


Right = Callable[[Registry], dict[str, Any]]


def _on_new_subject(**fields: Any) -> Right:
    return lambda r: {"subject": r.fresh()[0], **fields}


def _on_new_schema(**fields: Any) -> Right:
    return lambda r: {"schema_id": r.fresh()[1], **fields}


def _on_subject(**fields: Any) -> Right:
    return lambda r: {"subject": "known", **fields}


def _on_schema(**fields: Any) -> Right:
    return lambda r: {"schema_id": r.schema_id, **fields}


def _own_profile(name: str) -> dict[str, str]:
    return {"profile": name, "document": profile(name)}


POLICY: dict[str, Any] = {"name": "p", "effect": 1, "condition": {"negation": {"user_has_role": "x"}}}
RIGHT: dict[str, Right] = {
    "RegisterSchema": lambda r: {
        "subject": f"fuzz.{next(r.subjects)}",
        "schema_type": JSON,
        "schema_content": V1,
    },
    "GetSchema": _on_schema(),
    "GetSchemaByVersion": _on_subject(version="1"),
    "GetLatestVersion": _on_subject(),
    "ListSchemas": lambda r: {"subject_prefix": "known"},
    "UpdateSchemaMetadata": _on_new_schema(description="changed"),
    "DeleteSchema": _on_new_schema(),
    "ListVersions": _on_subject(),
    "GetSubjectVersions": _on_subject(),
    "ListSubjects": lambda r: {"prefix": "known"},
    "SearchSchemas": lambda r: {"query": "a"},
    "ValidateData": _on_schema(data=b'{"a": "x"}'),
    "ValidateItems": _on_schema(items=[b'{"a": "x"}', b"1"]),
    "ValidateSchema": lambda r: {"schema_type": JSON, "schema_content": V1},
    "BatchValidate": _on_schema(data=b"{}"),
    "ValidateStream": lambda r: {
        "schema_id": r.schema_id,
        "document_id": f"d{next(r.subjects)}",
        "chunk": b"{",
        "end": True,
    },
    "ReaskAnswer": _on_schema(data=b'{"a": "x"}'),
    "CoerceAnswer": _on_schema(data=b'{"a": "x"}', kinds=[3]),
    "CheckCompatibility": _on_subject(new_schema=V2_COMPATIBLE),
    "FindFixes": _on_subject(new_schema=V2_COMPATIBLE),
    "BatchCheckCompatibility": _on_subject(new_schema=V2_COMPATIBLE),
    "GetDependencies": _on_schema(),
    "GetDependents": _on_schema(),
    "StreamSchemaChanges": lambda r: {"subjects": ["nothing"]},
    "HealthCheck": lambda r: {},
    "GetConfig": _on_subject(),
    "SetConfig": _on_new_subject(config={"undecided": 1}),
    "DeleteConfig": _on_new_subject(),
    "UndeleteSchema": _on_new_schema(),
    "DeleteSubject": _on_new_subject(),
    "GetSchemaHistory": _on_schema(),
    "GetStatistics": lambda r: {},
    "CreateTicket": lambda r: {},
    "BatchGetSchemas": lambda r: {"selectors": [{"id": r.schema_id}, {"name": "known", "version": "1"}]},
    "DiffSchemas": lambda r: {"old": {"subject": "known", "version": "1"}, "new": {"version": "2"}},
    "ConvertSchema": lambda r: {"source": {"schema_id": r.schema_id}, "target_type": 2},
    "ReportOutcomes": lambda r: {
        "report_id": f"fuzz-{next(r.subjects)}",
        "items": [{"schema_id": r.schema_id, "model": "m", "answers": 2, "first_pass": 1}],
    },
    "GetConformance": _on_subject(version="1", model="m", limit=2),
    "ListProfiles": lambda r: {},
    "GetProfile": lambda r: {"profile": "openai-strict"},
    "PutProfile": lambda r: _own_profile(f"fuzz-{next(r.subjects)}"),
    "DeleteProfile": lambda r: {"profile": r.own_profile()},
    "CheckProfile": lambda r: {
        "schema": {"subject": "known", "version": "1"},
        "profiles": ["cohere"],
        "tool_name": "a",
        "max_findings": 3,
    },
    "CompileForProvider": lambda r: {
        "schema": {"subject": "known", "version": "1"},
        "profile": "openai-strict",
        "prove_seconds": 0.1,
    },
    "DecodeAnswer": _on_schema(decoder=b'{"format": 1}', data=b'{"a": "x"}'),
    "GrammarFor": lambda r: {
        "schema": {"subject": "known", "version": "1"},
        "syntax": 1,
        "prove_seconds": 0.1,
    },
    "ListProfileVerdicts": lambda r: {"profile": "cohere", "fit": 1, "limit": 2},
    "CreateApiKey": lambda r: {"name": f"fuzz-{next(r.subjects)}", "grants": [{"role": "reader"}]},
    "ListApiKeys": lambda r: {"limit": 2},
    "GetApiKey": lambda r: {"key_id": r.key()},
    "UpdateApiKey": lambda r: {"key_id": r.key(), "enabled": True},
    "RotateApiKey": lambda r: {"key_id": r.key()},
    "DeleteApiKey": lambda r: {"key_id": r.key()},
    "RevokeToken": lambda r: {
        "token_id": f"fuzz {next(r.subjects) % 100}",
        "expires_at": {"seconds": int(time.time()) + 86_400},
    },
    "ListRevokedTokens": lambda r: {"limit": 2},
    "WhoAmI": lambda r: {},
    "ListGrants": lambda r: {"limit": 2},
    "SetGrant": lambda r: {"holder": "user:fuzz", "role": "reader", "scope": "fuzz.*"},
    "DeleteGrant": lambda r: r.grant(),
    "GetPolicies": lambda r: {},
    "SetPolicies": lambda r: {"dry_run": True, "policies": {"policies": [POLICY]}},
    "ExplainAccess": lambda r: {"permission": "schema:read", "resource": "known", "holder": "user:ada"},
    "ListAuditEvents": lambda r: {"limit": 2},
    "GetAuditCheckpoint": lambda r: {},
    "GetInclusionProof": lambda r: {"position": min(0, r.audited())},
    "GetConsistencyProof": lambda r: {"old_size": min(0, r.audited())},
    "ExportAudit": lambda r: {"first": r.audited() - 1},
    "CertifyCompatibility": _on_subject(new_schema=V2_COMPATIBLE),
}
"""Fields of a request that succeeds."""


def right(rpc: str, registry: Registry) -> Message:
    return message_factory.GetMessageClass(METHODS[rpc].input_type)(**RIGHT[rpc](registry))


SERVERS = [pytest.param((back_end, "native"), id=f"{back_end}-native") for back_end in BACK_ENDS] + [
    # Through which engine a request comes is nothing that a back end sees: `make test` tries one pair.
    pytest.param(
        (back_end, "grpcio"),
        id=f"{back_end}-grpcio",
        marks=() if back_end == "sqlite" else pytest.mark.deep,
    )
    for back_end in BACK_ENDS
]


@pytest.fixture(scope="module", params=SERVERS)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    back_end, engine = request.param
    settings = {"GRPC__ENGINE": engine, "STORAGE__KIND": back_end, "LOGS__LEVEL": "warning"}
    settings |= {"PROVIDERS__PROFILES": "1000", "PROVIDERS__WATCH_SECONDS": "0"}
    if back_end == "postgres":
        settings["STORAGE__POSTGRES__DSN"] = asyncio.run(shared_server().empty_database())
    server = ServerProcess(tmp_path_factory.mktemp("fuzz"), **settings)
    wire = GrpcWire(engine, server.grpc)
    made = Registry(f"{back_end} {engine}", server, wire, iter(range(10**9)))
    made.schema_id = made._register("known", V1)
    made._register("known", V2_COMPATIBLE)
    yield made
    everything_is_readable(made)
    wire.close()
    assert server.stop() == 0
    crashed = server.events("call_crashed")
    assert not crashed, crashed[0]


def everything_is_readable(r: Registry) -> None:
    """Whatever was stored can be listed, searched, counted and replayed."""
    listed = list(r.grpc.listing("ListSchemas", pb.ListSchemasRequest(include_deleted=True)))
    assert listed
    for schema in listed[:: max(1, len(listed) // 50)]:
        assert r.grpc.call("GetSchema", pb.GetSchemaRequest(schema_id=schema.id)).schema.id == schema.id
    assert r.grpc.call("SearchSchemas", pb.SearchSchemasRequest(limit=1000)).total_count
    changes = r.grpc.listing("StreamSchemaChanges", pb.StreamRequest(from_revision="earliest"))
    seen = sum(1 for _ in zip(range(len(listed)), changes, strict=False))
    assert seen == len(listed)  # each version was registered once
    health = r.grpc.call("HealthCheck", METHODS["HealthCheck"].input_type._concrete_class())
    assert health.status == pb.HealthCheckResponse.STATUS_HEALTHY


@dataclass(frozen=True)
class Failed:
    code: str
    reason: str
    message: str
    fields: tuple[str, ...]


def check(failed: Failed | None, where: str, place: Place) -> None:
    """A failure is one that callers may see, and names the field."""
    if failed is None:
        return
    assert failed.reason not in ("", "INTERNAL", "UNKNOWN"), (where, failed)
    assert failed.code not in ("INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE"), (where, failed)
    assert failed.message, where
    assert not PYTHON.search(failed.message), (where, failed)
    if failed.reason in NEEDED or re.search(
        "the body is not JSON|longer than|must be a JSON object", failed.message
    ):
        return
    named = " ".join((*failed.fields, failed.message))
    assert any(name in named for name in _names(place)), (where, failed)


def _names(place: Place) -> Iterable[str]:
    yield from place.names
    if place.field.name in ("schema_content", "new_schema"):
        yield "schema"


def sample(values: Iterable[Any], whole: bool, *about: object) -> Sequence[Any]:
    """All values, or a few that depend on the seed and on what they are for."""
    all_values = list(values)
    if whole or len(all_values) <= SAMPLE:
        return all_values
    return random.Random(f"{SEED} {about}").sample(all_values, SAMPLE)


EXTENT = [pytest.param(False, id="sample"), pytest.param(True, id="all", marks=pytest.mark.deep)]


@pytest.mark.slow
@pytest.mark.parametrize("whole", EXTENT)
@pytest.mark.parametrize("rpc", sorted(METHODS))
def test_grpc(registry: Registry, rpc: str, whole: bool) -> None:
    problems = Problems()
    for place in places(METHODS[rpc].input_type):
        for n, appended in enumerate(sample(encodings(place), whole, registry.name, place.name)):
            where = f"{rpc} {place.name} #{n}: {appended[:80]!r}"
            with problems.case(where):
                check(grpc_failure(registry, rpc, appended), where, place)
    problems.none()


def grpc_failure(registry: Registry, rpc: str, appended: bytes) -> Failed | None:
    method, channel = METHODS[rpc], registry.grpc.channel
    path = f"/{method.containing_service.full_name}/{rpc}"
    request = right(rpc, registry).SerializeToString()
    response = message_factory.GetMessageClass(method.output_type)
    with ended_by(rpc) as ended:
        if method.client_streaming:
            items = (request, request + appended, request)
            call = channel.stream_stream(path)(iter(items), timeout=30)
            answers: list[Any] = [response.FromString(answer) for answer in call]
            assert len(answers) == 3, rpc
            first, middle, last = (answer.HasField("error") for answer in answers)
            assert (first, last) == (False, False), rpc
            return _told(answers[1].error) if middle else None
        if rpc == "StreamSchemaChanges":
            stream = channel.unary_stream(path)(request + appended, timeout=30)
            try:
                stream.initial_metadata()
                if not stream.is_active():
                    next(stream)
            finally:
                stream.cancel()
        elif method.server_streaming:
            for answer in channel.unary_stream(path)(request + appended, timeout=30):
                response.FromString(answer)
        else:
            response.FromString(channel.unary_unary(path)(request + appended, timeout=30))
    return _told(ended[0]) if ended else None


@contextmanager
def ended_by(rpc: str) -> Iterator[list[status_pb2.Status]]:
    """The status in it with which the call has failed, none when it has not."""
    ended: list[status_pb2.Status] = []
    errors: list[grpc.RpcError] = []
    try:
        yield ended
    except grpc.RpcError as error:
        errors.append(error)
    for error in errors:
        trailers = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        assert status.details, (rpc, error.code(), error.details())
        ended.append(status)


def _told(status: status_pb2.Status) -> Failed:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = tuple(violation.field for violation in bad.field_violations)
    return Failed(grpc.StatusCode(_code(status.code)).name, info.reason, status.message, fields)


def _code(number: int) -> Any:
    return next(code.value for code in grpc.StatusCode if code.value[0] == number)


@pytest.fixture
def http_registry(registry: Registry) -> Registry:
    if registry.grpc.name != "native":
        pytest.skip("HTTP is the same whatever speaks gRPC")
    return registry


def bindings(rpc: str) -> Iterator[tuple[str, str, str]]:
    """Verb, template and body of each HTTP binding."""
    rule = METHODS[rpc].GetOptions().Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        assert verb is not None
        yield verb.upper(), getattr(binding, verb), binding.body


def http_failure(status: int, body: bytes, where: str) -> Failed | None:
    assert status < 500 or status == 501, (where, status, body[:500])
    if status < 400:
        return None
    told = json.loads(body)
    fields = tuple(
        violation["field"]
        for detail in told.get("details", ())
        for violation in detail.get("field_violations", ())
        if "field" in violation
    )
    return Failed(str(status), told["error_code"], told["message"], fields)


@pytest.mark.slow
@pytest.mark.parametrize("whole", EXTENT)
@pytest.mark.parametrize("rpc", sorted(METHODS))
def test_http_urls(http_registry: Registry, rpc: str, whole: bool) -> None:
    r, problems = http_registry, Problems()
    for verb, template, body in bindings(rpc):
        if METHODS[rpc].client_streaming:
            continue
        captured = re.findall(r"\{([\w.]+)\}", template)
        every = list(places(METHODS[rpc].input_type))
        for place in every if body != "*" else [*every[:1], *(p for p in every if p.name in captured)]:
            for text in sample(escaped(place.field), whole, r.name, verb, template, place.name):
                tree = _tree(right(rpc, r))
                if place.name in captured:
                    path = _filled(template, tree, {place.name: text})
                else:
                    rest = _queried({} if body else tree, (*captured, place.name.split(".")[0]))
                    path = f"{_filled(template, tree, {})}?{place.name}={text}{rest}"
                content = _content(tree, body) if body else None
                where = f"{verb} {path[:200]}"
                live = {"accept": "text/event-stream"} if rpc == "StreamSchemaChanges" else {}
                with problems.case(where):
                    check(http_failure(*r.exchange(verb, path, content, **live), where), where, place)
    problems.none()


def _tree(request: Message) -> dict[str, Any]:
    tree: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
    return tree


def _queried(tree: dict[str, Any], without: Sequence[str]) -> str:
    """The texts of a request as parameters that follow another one."""
    texts = {k: v for k, v in tree.items() if isinstance(v, str) and k not in without}
    return "".join(f"&{name}={quote(value, safe='')}" for name, value in texts.items())


def _content(tree: dict[str, Any], body: str) -> bytes:
    return json.dumps(tree if body == "*" else tree.get(body, {})).encode()


def _filled(template: str, tree: dict[str, Any], given: dict[str, str]) -> str:
    """The path, with captures from `given`, or taken out of the right request."""
    captured = re.findall(r"\{([\w.]+)\}", template)
    if "subject" in captured:
        tree.pop("schema_id", None)  # the other way to name the same
    for name in captured:
        *parents, leaf = name.split(".")
        here = tree
        for parent in parents:
            here = here.get(parent, {})
        value = here.pop(leaf, "1" if leaf == "version" else ".known" if leaf == "context" else "known")
        template = template.replace(f"{{{name}}}", given.get(name, str(value)))
    return template


def planted(tree: dict[str, Any], path: Path, text: str) -> str:
    """The JSON of a tree with a JSON text in the place of one value, or of the whole."""
    if not path:
        return text
    here: Any = tree
    for step in path[:-1]:
        if step.is_repeated and not step.message_type.GetOptions().map_entry:
            here[step.name] = [{}]
            here = here[step.name][0]
        else:
            inner = here.get(step.name)
            here[step.name] = here = inner if isinstance(inner, dict) else {}
    here[path[-1].name] = "@@@"
    return json.dumps(tree).replace('"@@@"', text)


@pytest.mark.slow
@pytest.mark.parametrize("whole", EXTENT)
@pytest.mark.parametrize("rpc", sorted(METHODS))
def test_http_bodies(http_registry: Registry, rpc: str, whole: bool) -> None:
    r, problems = http_registry, Problems()
    for verb, template, body in bindings(rpc):
        for place in places(METHODS[rpc].input_type) if body else ():
            for text in sample(json_texts(place.field), whole, r.name, verb, template, place.name):
                tree = _tree(right(rpc, r))
                path = _filled(template, tree, {})
                if body == "*":
                    content = planted(tree, place.path, text)
                elif place.path[0].name == body:
                    content = planted(tree.get(body, {}), place.path[1:], text)
                else:
                    continue
                where = f"{verb} {path[:100]} {place.name} = {text[:60]}"
                with problems.case(where):
                    if METHODS[rpc].client_streaming:
                        check_batch(r, path, content.replace("\n", " "), where, place)
                    else:
                        check(http_failure(*r.exchange(verb, path, content.encode()), where), where, place)
    problems.none()


def check_batch(r: Registry, path: str, line: str, where: str, place: Place) -> None:
    """A bad line is answered as an item, and the lines after it too."""
    rpc = {"/api/v1/validate:batch": "BatchValidate", "/api/v1/answers:stream": "ValidateStream"}.get(
        path, "BatchCheckCompatibility"
    )
    good = json.dumps(_tree(right(rpc, r)))
    ndjson = {"content-type": "application/x-ndjson", "accept": "application/x-ndjson"}
    status, body = r.exchange("POST", path, "\n".join((good, line, good)).encode(), **ndjson)
    assert status == 200, (where, body[:300])
    first, middle, last = [json.loads(answer) for answer in body.splitlines()]
    assert (first.get("error"), last.get("error")) == (None, None), where
    if error := middle.get("error"):
        check(_told(json_format.ParseDict(error, status_pb2.Status())), where, place)


@pytest.mark.slow
@pytest.mark.parametrize("whole", EXTENT)
def test_websockets(http_registry: Registry, whole: bool) -> None:
    r, problems = http_registry, Problems()
    url = f"ws://127.0.0.1:{r.server.ports['http']}/api/v1/schemas/subscribe"
    for place in places(METHODS["StreamSchemaChanges"].input_type):
        for text in sample(json_texts(place.field), whole, r.name, place.name):
            with problems.case(f"{place.name} = {text[:60]}"), connect(url, proxy=None) as ws:
                ws.send(planted(_tree(right("StreamSchemaChanges", r)), place.path, text))
                try:
                    told = json.loads(ws.recv(timeout=STREAM_SECONDS))
                except TimeoutError:
                    continue
                except ConnectionClosed as closed:
                    raise AssertionError(f"{place.name} = {text[:60]}: closed without a word") from closed
                if error := told.get("error"):
                    check(Failed("", error["error_code"], error["message"], ()), text[:60], place)
    problems.none()


def test_every_rpc_has_a_right_request() -> None:
    assert set(RIGHT) == set(METHODS)
