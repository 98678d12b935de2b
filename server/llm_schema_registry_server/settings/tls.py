"""Settings of TLS on the listeners: the server's certificate, and what is asked of clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from .section import Section

ListenerName = Literal["grpc", "http", "metrics"]
ClientCertificates = Literal["none", "optional", "required"]


def _separated(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


class TlsSettings(Section):
    certificate_file: Path | None = None
    """The server's certificate and those of the authorities between it and a root (PEM); with it the listeners speak TLS. This
    file and the others are read anew when they change."""
    key_file: Path | None = None
    """The private key of the certificate (PEM)."""
    key_password: SecretStr | None = None
    """Of an encrypted `key_file`."""
    listeners: Annotated[tuple[ListenerName, ...], BeforeValidator(_separated)] = ("grpc", "http")
    """Which listeners speak TLS, and only TLS; the others stay as they are. Separated by commas in a variable."""
    minimum_version: Literal["1.2", "1.3"] = "1.3"
    """The oldest version of TLS that is spoken."""
    client_certificates: ClientCertificates = "none"
    """Whether clients show a certificate: `required` refuses those without one in the handshake; with `optional` they may show
    one or other credentials; `none` asks for none. Whoever shows one that is not good is refused. See `auth.certificates`."""
    http_client_certificates: ClientCertificates | None = None
    """The same for the HTTP listener alone, where it is to differ (browsers)."""
    metrics_client_certificates: ClientCertificates | None = None
    """The same for the metrics listener alone."""
    client_ca_file: Path | None = None
    """Certificates (PEM) of the authorities whose clients are let in: of your own, never the public ones."""
    revocation_file: Path | None = None
    """Lists of revoked certificates (CRLs, PEM), one of every authority that a client's certificate leads to; a certificate is
    refused when such a list is missing or has expired. Not given: nothing is revoked."""
    reload_seconds: float = Field(10.0, ge=0.1)
    """How often the files are looked at. SIGHUP has them read at once."""
    handshake_seconds: float = Field(10.0, gt=0)
    """How long a handshake may take; without TLS, how long a client of gRPC may take to say that it speaks HTTP/2, where a front stands
    (`grpc.front`)."""
    handshakes: int = Field(512, ge=4)
    """Most handshakes at a time on one listener, a quarter of them from one address; more connections are closed at once."""

    @property
    def on(self) -> bool:
        """Whether any listener speaks TLS."""
        return self.certificate_file is not None and bool(self.listeners)

    def speaks(self, listener: ListenerName) -> bool:
        """Whether a listener speaks TLS."""
        return self.certificate_file is not None and listener in self.listeners

    def asks(self, listener: ListenerName) -> ClientCertificates:
        """Whether a listener asks clients for certificates."""
        if not self.speaks(listener):
            return "none"
        own = {"http": self.http_client_certificates, "metrics": self.metrics_client_certificates}
        return own.get(listener) or self.client_certificates

    @property
    def identifies(self) -> bool:
        """Whether calls may be made by whom a certificate names."""
        return any(self.asks(listener) != "none" for listener in ("grpc", "http"))

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file are given together")
        asked = (self.client_certificates, self.http_client_certificates, self.metrics_client_certificates)
        asking = any(mode in ("optional", "required") for mode in asked)
        if asking and self.certificate_file is None:
            raise ValueError(
                "client_certificates needs certificate_file and key_file: without TLS nobody shows one"
            )
        if asking and self.client_ca_file is None:
            raise ValueError("client_certificates needs client_ca_file: whose certificates are good")
        if self.revocation_file is not None and not asking:
            raise ValueError("revocation_file needs client_certificates: it is about those")
        return self
