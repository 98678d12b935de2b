"""What no caller gets out of the server or into it: secrets, files, requests to elsewhere, statements, pages in browsers."""

from __future__ import annotations

import ast
import asyncio
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

import llm_schema_registry_server
from llm_schema_registry.v1 import credentials_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.fetching import Fault, demand_https, fetch
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import CallFailed, GrpcWire, HttpWire
from tests.support.certificates import issue
from tests.support.tokens import AUDIENCE, ISSUER

SOURCE = Path(llm_schema_registry_server.__file__).parent


# -- browsers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path_factory.mktemp("hardened"))
    yield made
    made.stop()
    assert made.events("call_crashed") == []


EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
}


@pytest.mark.parametrize(
    ("verb", "path", "status", "more"),
    [
        ("GET", "/", 200, {}),
        ("GET", "/api/v1", 200, {}),
        ("GET", "/api/v1/subjects", 200, {}),
        ("HEAD", "/api/v1/subjects", 200, {}),
        ("OPTIONS", "/api/v1/subjects", 204, {}),
        ("GET", "/api/v1/schemas", 200, {}),
        ("GET", "/api/v1/schemas/none", 404, {}),
        ("GET", "/nothing/here", 404, {}),
        ("GET", "/api/v1/nothing", 404, {}),
        ("PATCH", "/api/v1/subjects", 405, {}),
        ("POST", "/api/v1/schemas", 400, {"content": b"{"}),
        ("POST", "/api/v1/schemas", 415, {"content": b"{}", "headers": {"content-type": "text/plain"}}),
        ("POST", "/api/v1/schemas", 415, {"content": b"{}", "headers": {"content-encoding": "gzip"}}),
        ("POST", "/api/v1/schemas", 413, {"content": b" " * (13 << 20)}),
        ("POST", "/api/v1/validate:batch", 200, {"content": b"{}"}),
        ("GET", "/health", 200, {}),
        ("GET", "/health/live", 200, {}),
        ("GET", "/health/ready", 200, {}),
        ("GET", "/health/startup", 200, {}),
        ("POST", "/schema_registry.v1.SchemaRegistry/GetSchema", 400, {}),
    ],
)
def test_every_answer_tells_browsers_what_not_to_do(
    server: ServerProcess, verb: str, path: str, status: int, more: dict[str, Any]
) -> None:
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    answer = httpx.request(verb, server.http + path, headers=headers, trust_env=False, timeout=30, **more)
    assert answer.status_code == status, answer.text
    for name, value in EVERYWHERE.items():
        assert answer.headers.get_list(name) == [value], name
    assert "server" not in answer.headers or not re.search(r"\d", answer.headers["server"]), "no versions"


def test_behind_tls_browsers_are_told_not_to_come_back_without_it(
    server: ServerProcess, tmp_path: Path
) -> None:
    """RFC 6797 7.2: and without TLS they are told nothing of it."""
    made = issue(tmp_path)
    secure = ServerProcess(
        tmp_path / "server", TLS__CERTIFICATE_FILE=str(made.certificate), TLS__KEY_FILE=str(made.key)
    )
    try:
        verify = ssl.create_default_context(cafile=str(made.authority))
        url = f"https://localhost:{secure.ports['http']}/api/v1/subjects"
        told = httpx.get(url, verify=verify, trust_env=False)
    finally:
        secure.stop()
    assert told.headers["strict-transport-security"] == "max-age=31536000"
    plain = httpx.get(f"{server.http}/api/v1/subjects", trust_env=False)
    assert "strict-transport-security" not in plain.headers


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_what_a_page_of_another_site_can_send_without_asking_changes_nothing(
    server: ServerProcess, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    body = b'{"compatibility_level": "NONE"}'
    for verb, path in (("PUT", "/api/v1/config"), ("POST", "/api/v1/schemas"), ("POST", "/api/v1/search")):
        answer = httpx.request(verb, server.http + path, content=body, headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["error_code"]) == (415, "UNSUPPORTED_BODY")


# -- requests to elsewhere, and files


class Trap:
    """A listener that notices who connects, and answers as told."""

    def __init__(self, answer: bytes = b"", *, slow: float = 0.0) -> None:
        self._answer, self._slow = answer, slow
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._reply, args=(connection,), daemon=True).start()

    def _reply(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65536)
            for at in range(0, len(self._answer), 65536):
                connection.sendall(self._answer[at : at + 65536])
                time.sleep(self._slow)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    with closing(Trap(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")) as made:
        yield made


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("JSON", '{"$ref": "http://127.0.0.1:PORT/schema.json"}'),
        ("JSON", '{"$schema": "http://127.0.0.1:PORT/meta", "type": "object"}'),
        ("JSON", '{"$id": "http://127.0.0.1:PORT/base/", "properties": {"a": {"$ref": "other.json"}}}'),
        ("JSON", '{"$dynamicRef": "http://127.0.0.1:PORT/x#y"}'),
        ("JSON", '{"$ref": "file:///etc/passwd"}'),
        ("JSON", '{"$ref": "../../../../etc/passwd"}'),
        ("PROTOBUF", 'syntax = "proto3"; import "/etc/passwd"; message M {}'),
        ("PROTOBUF", 'syntax = "proto3"; import "../../../../../etc/passwd"; message M {}'),
        ("PROTOBUF", 'syntax = "proto3"; import "http://127.0.0.1:PORT/x.proto"; message M {}'),
        ("PROTOBUF", 'syntax = "proto3"; import "/proc/self/environ"; message M {}'),
    ],
)
def test_a_schema_makes_the_server_read_no_file_and_ask_nobody(
    server: ServerProcess, trap: Trap, kind: str, content: str
) -> None:
    with closing(HttpWire(server.http)) as wire, pytest.raises(CallFailed) as refused:
        wire.call(
            "RegisterSchema",
            pb.RegisterSchemaRequest(
                subject=f"ssrf.{abs(hash(content))}",
                schema_type=pb.SchemaType.Value(f"SCHEMA_TYPE_{kind}"),
                schema_content=content.replace("PORT", str(trap.port)).encode(),
            ),
        )
    told = f"{refused.value} {refused.value.details}"
    assert refused.value.http in (400, 422)
    assert "root:" not in told
    assert "PATH=" not in told
    assert trap.connections == 0


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd", "/api/v1/../../etc/passwd", "/api/v1/%2e%2e/%2e%2e/etc/passwd", "/health/../metrics",
        "/api/v1/schemas/..%2f..%2f..%2fetc%2fpasswd", "//etc/passwd", "/api/v1/subjects/..%2F..%2Fetc%2Fpasswd/versions",
        "/api/v1/schemas/%00", "/%c0%ae%c0%ae/etc/passwd", "\\..\\..\\etc\\passwd",
    ],
)  # fmt: skip
def test_a_path_leads_to_no_file(server: ServerProcess, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.ports["http"]), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split(b" ", 2)[1:2] in ([b"400"], [b"404"]), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://example.com/",
        "ftp://localhost/x",
        "file:///etc/passwd",
        "https://",
        "http://127.0.0.1.evil.example/",
    ],
)
def test_keys_are_fetched_over_https_or_from_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        demand_https(url)


async def test_a_redirection_is_not_followed(trap: Trap) -> None:
    location = f"location: http://127.0.0.1:{trap.port}/secret".encode()
    with closing(Trap(b"HTTP/1.1 302 Found\r\n" + location + b"\r\ncontent-length: 0\r\n\r\n")) as first:
        with pytest.raises(Fault, match="302"):
            await fetch(f"http://127.0.0.1:{first.port}/keys", 1000)
        assert first.connections == 1
    assert trap.connections == 0


async def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
    with closing(Trap(head + b"x" * 5_000_000)) as endless:
        assert len(await fetch(f"http://127.0.0.1:{endless.port}/", 1000)) == 1000
    monkeypatch.setattr("llm_schema_registry_server.auth.fetching._SECONDS", 0.5)
    with closing(Trap(head + b"x" * 10_000_000, slow=0.3)) as slow:
        began = time.monotonic()
        with pytest.raises(Fault):
            await asyncio.wait_for(fetch(f"http://127.0.0.1:{slow.port}/", 50_000_000), 10)
        assert time.monotonic() - began < 5


# -- secrets

PLANTED = {
    "AUTH__JWT__SECRET": "planted-jwt-secret-0123456789abcdef0123456789",
    "CACHES__REDIS__URL": "redis://planteduser:planted-redis-password@127.0.0.1:1/0",
    "CACHES__REDIS__SIGNING_KEY": "planted-signing-key-0123456789",
    "STORAGE__POSTGRES__DSN": "postgresql://planted:planted-dsn-password@127.0.0.1:1/none",
}


def test_secrets_stand_in_no_log_no_error_no_metric_and_no_listing(tmp_path: Path) -> None:
    signing = OctKey.import_key(PLANTED["AUTH__JWT__SECRET"])

    def token(**claims: Any) -> str:
        whole = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 600, **claims}
        return jwt.encode({"alg": "HS256"}, whole, signing)

    given = {
        **PLANTED,
        "AUTH__JWT__ISSUER": ISSUER,
        "AUTH__JWT__AUDIENCE": AUDIENCE,
        "AUTH__API_KEYS__ENABLED": "true",
        "LOGS__LEVEL": "debug",
    }
    secrets = {
        PLANTED["AUTH__JWT__SECRET"],
        "planted-redis-password",
        "planted-signing-key-0123456789",
        "planted-dsn-password",
    }
    told: list[str] = []
    for engine in ("native", "grpcio"):
        server = ServerProcess(tmp_path / engine, GRPC__ENGINE=engine, **given)
        try:
            admin = token(sub="ada", roles=["admin"])
            bad = token(sub="eve", roles=["admin"])[:-4] + "AAAA"
            stale = token(sub="eve", exp=1)
            guess = "llmsr_" + "x" * 43
            secrets |= {admin, bad, stale, guess}
            with httpx.Client(base_url=server.http, trust_env=False, timeout=30) as client:
                key = client.post(
                    "/api/v1/api-keys",
                    json={"name": "planted", "grants": [{"role": "reader"}]},
                    headers={"authorization": f"Bearer {admin}"},
                )
                assert key.status_code in (200, 201), key.text
                shown = key.json()["secret"]
                secrets.add(shown)
                for headers in (
                    {"authorization": f"Bearer {admin}"}, {"authorization": f"Bearer {bad}"},
                    {"authorization": f"Bearer {stale}"}, {"authorization": f"Bearer {guess}"},
                    {"authorization": f"ApiKey {shown}"}, {"x-api-key": shown}, {"x-api-key": guess},
                    {"authorization": f"Bearer {admin}", "x-api-key": shown}, {"authorization": f"Basic {shown}"},
                ):  # fmt: skip
                    for verb, path in (
                        ("GET", "/api/v1/whoami"), ("GET", "/api/v1/subjects"), ("GET", "/api/v1/api-keys"), ("POST", "/api/v1/schemas"),
                        ("GET", "/health"), ("GET", "/api/v1/nothing"),
                    ):  # fmt: skip
                        answer = client.request(
                            verb, path, headers={"content-type": "application/json", **headers}, content=b"{"
                        )
                        told.append(f"{answer.headers} {answer.text}")
                told.append(
                    httpx.get(f"http://127.0.0.1:{server.ports['metrics']}/metrics", trust_env=False).text
                )
            grpc = GrpcWire(engine, server.grpc)
            with suppress(CallFailed):
                grpc.call("GetApiKey", credentials_pb2.GetApiKeyRequest(key_id=shown))
            grpc.close()
        finally:
            server.stop()
        told.append(server.log.read_text())
    told.append(listing(given))
    for secret in secrets:
        for text in told:
            at = text.find(secret)
            assert at < 0, text[max(0, at - 200) : at]


def listing(given: dict[str, str]) -> str:
    """What check-settings prints."""
    environment = {
        "PYTHONPATH": ":".join(str(ROOT / part) for part in ("engines", "server", "clients/python")),
        **{f"SCHEMA_REGISTRY_{name}": value for name, value in given.items()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "check-settings"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


# -- the source

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|PRAGMA|NOTIFY|ALTER|CREATE|DROP|WHERE)\b")

REVIEWED = {
    "postgres/appending.py": {"_append": "names of columns and places ($1 ...), all of this module"},
    "postgres/counting.py": {"_groups": "columns of this module"},
    "postgres/lists.py": {"_words": "a place", "_question": "a column of this module"},
    "postgres/migrate.py": {"_step": "a constant number"},
    "postgres/queries.py": {
        "_with_content": "a query of this module", "put_contents": "a source of the module that calls it", "add_subjects": "the same",
        "audit_rows": "conditions of audit_rows.py, which are constants with places",
    },
    "repair/access.py": {"look": "a constant"},
    "repair/outcomes.py": {"look": "constants", "_select": "constants"},
    "repair/profiles.py": {"look": "a constant"},
    "repair/table.py": {"update": "a table and columns that repair names"},
    "selection.py": {
        "scan": "conditions with places", "count": "the same", "rank": "the same", "count_subjects": "the same",
        "count_some": "the same", "_behind": "the same",
        "_page_of_ranges": "places", "_having_versions": "constants", "_add_about": "constants",
    },
    "sqlite/counting.py": {"_groups": "columns of this module"},
    "sqlite/lists.py": {
        "near": "places",
        "count_latest": "terms of this module, with places",
        "each": "constants",
        "_labelled": "columns of this module",
    },
    "sqlite/queries.py": {"audit_rows": "conditions of audit_rows.py, which are constants with places"},
    "sqlite/migrate.py": {"migrate": "numbers of steps"},
    "sqlite/store.py": {"_connect": "constant pragmas"},
}  # fmt: skip
"""Functions that put something into the text of a statement, and why that is nothing that a caller sends. A new one is to be looked at,
and to be written down here: values belong into parameters."""


def test_no_statement_is_made_of_what_callers_send() -> None:
    found: dict[str, set[str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                map(_makes_sql, ast.walk(function))
            ):
                found.setdefault(str(file.relative_to(SOURCE / "storage")), set()).add(function.name)
    assert found == {file: set(functions) for file, functions in REVIEWED.items()}


def _makes_sql(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        texts = [v.value for v in node.values if isinstance(v, ast.Constant)]
        return len(texts) < len(node.values) and any(_SQL.search(str(t)) for t in texts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return isinstance(node.left, ast.Constant) and bool(_SQL.search(str(node.left.value)))
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
        and isinstance(node.func.value, ast.Constant)
        and bool(_SQL.search(str(node.func.value.value)))
    )


_SECRET_NAMES = re.compile(r"(secret|password|digest|signature|token|mac|tag)s?$")


def test_secrets_are_compared_in_constant_time() -> None:
    """Where callers show something, nothing secret is compared with == , which ends at the first byte that differs."""
    compared = []
    for file in [
        *sorted((SOURCE / "auth").rglob("*.py")),
        *sorted((SOURCE / "calls").rglob("*.py")),
        SOURCE / "caches" / "sealing.py",
    ]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                sides = [node.left, *node.comparators]
                if any(isinstance(side, ast.Constant) for side in sides):
                    continue
                names = [getattr(side, "attr", getattr(side, "id", "")) for side in sides]
                compared += [f"{file.name}: {ast.unparse(node)}" for n in names if _SECRET_NAMES.search(n)]
    assert compared == []
