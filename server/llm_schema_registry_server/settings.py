"""The settings of a server process: one frozen typed tree from a TOML file and SCHEMA_REGISTRY_* variables.

Variables win over the file, the file over the defaults. `SCHEMA_REGISTRY_GRPC__PORT=9091` sets `grpc.port`. Unknown
names are refused wherever they stand. What changes at run time (a subject's level ...) is data, not settings.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "SCHEMA_REGISTRY_"
CONFIG_VARIABLE = "SCHEMA_REGISTRY_CONFIG"


class SettingsError(Exception):
    """The settings cannot be used; the message names each wrong one and says what is wrong with it."""


class Section(BaseModel):
    """A group of settings: immutable, and closed to names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Grpc(Section):
    host: str = "0.0.0.0"
    """Address that the gRPC listener binds."""
    port: int = Field(9090, ge=0, le=65535)
    """Port of the gRPC listener; 0 lets the system choose."""
    engine: Literal["auto", "native", "grpcio"] = "auto"
    """Which server speaks gRPC: `native` (pygrpc-native, plaintext only), `grpcio`, or `auto`."""
    max_message_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    """Largest message accepted or sent."""
    default_deadline_seconds: float = Field(30.0, gt=0)
    """Deadline of a unary call whose client set none."""
    reflection: bool = True
    """Whether clients may ask the server for its descriptors."""


class Http(Section):
    host: str = "0.0.0.0"
    """Address that the HTTP listener binds."""
    port: int = Field(8080, ge=0, le=65535)
    """Port of the HTTP listener; 0 lets the system choose."""
    max_body_bytes: int = Field(12 * 1024 * 1024, ge=1024)
    """Largest request body, and largest line of a batch (base64 makes 3 bytes 4)."""
    max_batch_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """Largest batch of lines (NDJSON) in one request."""


class Metrics(Section):
    host: str = "0.0.0.0"
    """Address of the metrics listener."""
    port: int = Field(9091, ge=0, le=65535)
    """Port of /metrics; 0 lets the system choose."""


class Storage(Section):
    kind: Literal["sqlite", "memory"] = "sqlite"
    """Back end: `sqlite` keeps everything in one file, `memory` forgets everything at the end."""
    path: Path = Path("data/registry.db")
    """The database file of `sqlite`; its directory is made when missing."""
    synchronous: Literal["full", "normal"] = "full"
    """`full` survives a power failure, `normal` only the death of the process (and is faster)."""


class Limits(Section):
    schema_bytes: int = Field(1024 * 1024, ge=1)
    """Largest schema content accepted."""
    data_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Largest payload that ValidateData accepts."""
    references: int = Field(64, ge=0)
    """Most references of one schema, direct and transitive."""
    tags: int = Field(50, ge=0)
    """Most tags of a version."""
    metadata_bytes: int = Field(10 * 1024, ge=0)
    """Largest metadata of a version: keys and values together."""
    page: int = Field(1000, ge=1)
    """Largest page of a list."""


class Workers(Section):
    processes: int = Field(2, ge=1, le=64)
    """Subprocesses that compile and compare schemas."""
    parse_seconds: float = Field(2.0, gt=0)
    """After this a compilation is killed."""
    compare_seconds: float = Field(5.0, gt=0)
    """After this a comparison is killed and answered UNDECIDED."""
    memory_bytes: int = Field(1 << 30, ge=1 << 27)
    """Address space of one subprocess."""
    queue: int = Field(1000, ge=0)
    """Tasks that may wait for a subprocess; more are refused at once."""
    patience_seconds: float = Field(0.2, gt=0)
    """A task that takes longer gets the lowest priority and gives its seat to the next one."""
    slow_processes: int = Field(2, ge=0, le=64)
    """Most tasks, besides those in `processes`, that may go on slowly at the same time."""


class Changes(Section):
    ring: int = Field(10_000, ge=1)
    """Changes kept in memory for live subscribers; older ones are read from the store."""
    stall_seconds: float = Field(30.0, gt=0)
    """A subscriber that takes nothing for this long is ended with the revision to resume from."""
    record_failures: bool = False
    """Whether refused registrations are appended to the change log, as VALIDATION_FAILED or COMPATIBILITY_CHECK_FAILED."""


class Caches(Section):
    hot_bytes: int = Field(128 * 1024 * 1024, ge=0)
    """Memory for answers that are kept serialized."""
    schema_bytes: int = Field(128 * 1024 * 1024, ge=1 << 20)
    """Memory for schemas with their references, parsed schemas, comparisons and compiled validators."""


class Logs(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["json", "text"] = "json"
    """`json` for machines, `text` for a terminal."""


class Settings(Section):
    """The whole tree; each part of the server gets its section."""

    grpc: Grpc = Grpc()
    http: Http = Http()
    metrics: Metrics = Metrics()
    storage: Storage = Storage()
    limits: Limits = Limits()
    workers: Workers = Workers()
    changes: Changes = Changes()
    caches: Caches = Caches()
    logs: Logs = Logs()
    drain_seconds: float = Field(30.0, ge=0)
    """How long calls in flight may finish after SIGTERM."""
    compatibility_level: Literal[
        "BACKWARD",
        "FORWARD",
        "FULL",
        "BACKWARD_TRANSITIVE",
        "FORWARD_TRANSITIVE",
        "FULL_TRANSITIVE",
        "NONE",
    ] = "BACKWARD"
    """Level of subjects for which nothing else is configured."""


def load(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from `file` (or the one that SCHEMA_REGISTRY_CONFIG names) and the environment.

    Raises SettingsError when a name is unknown, a value is wrong or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    tree = _read(file) if file else {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE:
            _put(tree, name, environ[name])
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(e) for e in error.errors())) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    *parents, leaf = name.removeprefix(PREFIX).lower().split("__")
    for parent in parents:
        branch = tree.setdefault(parent, {})
        if not isinstance(branch, dict):
            raise SettingsError(f"{name}: {parent} is a value, not a section")
        tree = branch
    tree[leaf] = value


def _explain(error: Any) -> str:  # pydantic_core.ErrorDetails is not exported
    path = ".".join(str(part) for part in error["loc"])
    variable = PREFIX + "__".join(str(part).upper() for part in error["loc"])
    message = "unknown setting" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{path} (variable {variable}): {message}"
