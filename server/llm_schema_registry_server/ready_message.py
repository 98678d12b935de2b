"""What a person at a terminal reads when the server is ready: what listens where, where the data is, what to try."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from . import __version__
from .settings import ClientCertificates, Settings

_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]", ""})


def ready_message(settings: Settings, ports: Mapping[str, int]) -> str:
    """The message, several lines. ports: the bound port of each listener (grpc, http, metrics)."""
    http = _address(settings.http.host, ports["http"])
    grpc = _address(settings.grpc.host, ports["grpc"])
    client = _command("schema-registry")
    tls = settings.tls
    server = "" if ports["grpc"] == 9090 else f" --server {grpc}"
    if tls.speaks("grpc"):
        server = f" --server https://{grpc}{_files(tls.asks('grpc'))}"
    web = f"{'https' if tls.speaks('http') else 'http'}://{http}"
    metrics = "https" if tls.speaks("metrics") else "http"
    lines = [
        f"LLM Schema Registry {__version__} is ready.",
        "",
        f"  gRPC     {'TLS on ' if tls.speaks('grpc') else ''}{grpc}{_reachable(settings.grpc.host)}",
        f"  HTTP     {web}/api/v1{_reachable(settings.http.host)}",
        f"  metrics  {metrics}://{_address(settings.metrics.host, ports['metrics'])}/metrics",
        f"  data     {_data(settings)}",
        f"  access   {_access(settings)}",
        "",
        "Try in another terminal:",
        "",
        f"  {client}{server} register first.answer {_example()}",
        f"  {client}{server} list",
        f"  curl{_curl(tls.asks('http')) if tls.speaks('http') else ''} {web}/api/v1/subjects",
        "",
        f"All settings: {_command('schema-registry-server')} check-settings. Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)


def _access(settings: Settings) -> str:
    if settings.tls.identifies and settings.auth.on:
        return "by client certificates and bearer tokens: give either before you try"
    if settings.tls.identifies:
        return "by client certificates"
    if settings.auth.on:
        return "by bearer tokens: put one into SCHEMA_REGISTRY_TOKEN before you try"
    return "open: everyone who can reach these ports may read and change everything"


def _files(asked: ClientCertificates) -> str:
    """Options of the client for TLS."""
    return " --ca CA.pem" + ("" if asked == "none" else " --cert YOU.pem --key YOU.key")


def _curl(asked: ClientCertificates) -> str:
    return " --cacert CA.pem" + ("" if asked == "none" else " --cert YOU.pem --key YOU.key")


def _example() -> str:
    """A schema that is there to be registered; the name of one to be written where there is none."""
    example = "examples/structured-answer/v1.json"
    return example if Path(example).exists() else "schema.json"


def _address(host: str, port: int) -> str:
    return f"{'localhost' if host in _EVERY_ADDRESS else host}:{port}"


def _reachable(host: str) -> str:
    return " (on every network interface)" if host in _EVERY_ADDRESS else ""


def _data(settings: Settings) -> str:
    storage = settings.storage
    match storage.kind:
        case "sqlite":
            return f"{Path(storage.path).absolute()} (SQLite)"
        case "postgres":
            return "PostgreSQL"
        case _:
            return "in memory: it is gone when the server stops"


def _command(name: str) -> str:
    """How to call a command of this installation: by its path from here unless it is found by its name."""
    beside = Path(sys.executable).with_name(name)
    if not beside.exists():
        return name
    try:
        return shlex.quote(str(beside.relative_to(Path.cwd())))
    except ValueError:
        return name
