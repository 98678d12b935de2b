"""Servers that ask for tokens, and wires whose calls carry one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.api.server import ServerProcess
from tests.api.wires import GrpcWire, HttpWire, Wire
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ENGINES = ("native", "grpcio")
WIRES = (*ENGINES, "http")

GrantTable = Sequence[tuple[str, str, Sequence[str]]]
"""Holder, role, scopes."""


class Callers:
    """A server of each engine that takes the tokens of an issuer. `grants` are the settings `auth.grants`, `roles` those of
    `auth.roles`; `more` is TOML, `settings` are variables, with others."""

    def __init__(
        self,
        home: Path,
        grants: GrantTable = (),
        roles: Mapping[str, Sequence[str]] | None = None,
        engines: Sequence[str] = ENGINES,
        more: str = "",
        **settings: str,
    ) -> None:
        self.issuer = Issuer("ES256")
        home.mkdir(parents=True, exist_ok=True)
        given = {
            "AUTH__JWT__KEYS_FILE": str(self.issuer.write(home / "keys.json")),
            "AUTH__JWT__ISSUER": ISSUER,
            "AUTH__JWT__AUDIENCE": AUDIENCE,
            "WORKERS__PROCESSES": "1",  # who may call what does not depend on how many there are
            "CONFIG": str(_write(home / "settings.toml", grants, roles or {}, more)),
            **settings,
        }
        self.servers = {
            engine: ServerProcess(home / engine, GRPC__ENGINE=engine, **given) for engine in engines
        }
        self._stack = ExitStack()
        self._wires: dict[tuple[str, str], Wire] = {}

    def headers(self, name: str, roles: Sequence[str] = (), **claims: Any) -> dict[str, str]:
        """The credentials of a caller; "" is nobody."""
        if not name:
            return {}
        return {"authorization": f"Bearer {self.issuer.token(sub=name, roles=list(roles), **claims)}"}

    def wire(self, wire: str, name: str, roles: Sequence[str] = ()) -> Wire:
        """One whose calls `name` makes, in whose token these roles stand."""
        key = wire, f"{name} {roles}"
        if key not in self._wires:
            self._wires[key] = self.opened(wire, self.headers(name, roles))
        return self._wires[key]

    def opened(self, wire: str, headers: Mapping[str, str]) -> Wire:
        if wire == "http":
            http = HttpWire(next(iter(self.servers.values())).http)
            self._stack.callback(http.close)
            http.client.headers.update(headers)
            return http
        found = GrpcWire(wire, self.servers[wire].grpc)
        self._stack.callback(found.channel.close)
        found.channel = grpc.intercept_channel(found.channel, Carrying(headers))
        return found

    def stop(self) -> None:
        self._stack.close()
        for server in self.servers.values():
            server.stop()
            assert server.events("call_crashed") == []
            assert "eyJ" not in server.log.read_text(), "a token has no place in the log"


@contextmanager
def callers(home: Path, *args: Any, **settings: Any) -> Iterator[Callers]:
    made = Callers(home, *args, **settings)
    try:
        yield made
    finally:
        made.stop()


def _write(file: Path, grants: GrantTable, roles: Mapping[str, Sequence[str]], more: str) -> Path:
    """Settings as TOML, whose texts and lists of texts are written as JSON's are."""
    tables = [
        f"[[auth.grants]]\nto = {json.dumps(to)}\nrole = {json.dumps(role)}\non = {json.dumps(list(on))}"
        for to, role, on in grants
    ]
    own = [f"{json.dumps(role)} = {json.dumps(list(held))}" for role, held in roles.items()]
    file.write_text("\n".join([*tables, "[auth.roles]", *own, more]))
    return file


class Carrying(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Puts metadata into every call."""

    def __init__(self, metadata: Mapping[str, str]) -> None:
        self._metadata = tuple(metadata.items())

    def _call(self, proceed: Any, details: Any, request: Any) -> Any:
        return proceed(details._replace(metadata=(*(details.metadata or ()), *self._metadata)), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _call
