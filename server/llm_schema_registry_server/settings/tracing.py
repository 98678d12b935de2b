"""Where spans go, and which calls are traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from .section import Section
from .urls import check_http


class TracingSettings(Section):
    """Spans of OpenTelemetry, sent with OTLP. Off until `endpoint` is set; needs the extra `telemetry`."""

    endpoint: str = ""
    """Where spans are sent: `http://collector:4317` (gRPC), `https://collector:4318` (HTTP; without a path, to `/v1/traces`)."""
    protocol: Literal["grpc", "http"] = "grpc"
    """OTLP over gRPC, or over HTTP with protobuf bodies."""
    headers: SecretStr = SecretStr("")
    """Headers of each export, `name=value` with commas between them: what the collector asks for to let us in."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust (PEM); the system's when not given."""
    timeout_seconds: float = Field(10.0, gt=0)
    """Longest time of one export; spans that could not be exported are dropped, and calls never wait for it."""
    sample_ratio: float = Field(0.1, ge=0, le=1)
    """Share of the calls without a trace of their own (no `traceparent`) that are traced. Others are traced when their caller traces
    them."""
    asked_for_per_second: int = Field(200, ge=0)
    """Most calls in a second that are traced because their callers ask for it."""
    service_name: str = Field("llm-schema-registry", min_length=1, max_length=200)
    """`service.name` of the spans."""
    environment: str = Field("", max_length=200)
    """`deployment.environment.name` of the spans; none when empty."""

    @property
    def on(self) -> bool:
        """Whether anything is traced."""
        return bool(self.endpoint)

    def header_values(self) -> dict[str, str]:
        """The headers by name."""
        return _headers(self.headers.get_secret_value())

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        if endpoint:
            check_http(endpoint)
        return endpoint

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: SecretStr) -> SecretStr:
        _headers(headers.get_secret_value())
        return headers


def _headers(text: str) -> dict[str, str]:
    """Raises ValueError, without quoting what may be a secret."""
    found: dict[str, str] = {}
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not part.isprintable():
            raise ValueError(f"header {number} must be name=value")
        found[name.strip().lower()] = value.strip()
    return found


def levels_of(value: Any) -> Any:
    """`registry=debug, storage.postgres=warning` as a table; anything else as it is."""
    if not isinstance(value, str):
        return value
    pairs = (part.partition("=") for part in filter(None, map(str.strip, value.split(","))))
    return {name.strip(): level.strip() for name, _, level in pairs}
