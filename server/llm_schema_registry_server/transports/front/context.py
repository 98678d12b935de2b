"""From the files that the settings name to an OpenSSL context; and whether they have changed since."""

from __future__ import annotations

import ssl
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ...settings import ClientCertificates, TlsSettings

_MOST_BYTES = 16 * 1024 * 1024
_CRL_BEGIN = b"-----BEGIN X509 CRL-----"
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

Serial = tuple[bytes, int]
"""What names a certificate: its issuer (DER) and its serial number (RFC 5280 4.1.2.2)."""
Stamp = tuple[tuple[int, int, int], ...]


class TlsFilesError(Exception):
    """A file of TLS cannot be used; the message names the setting, the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Trust:
    """One reading of the files. `authorities`: the bytes of the clients' authorities. `revoked`: certificates on the lists, which
    expire at `lists_expire`; None: there are none, or they do not say. `expires`: the server's own certificate."""

    context: ssl.SSLContext
    authorities: bytes
    revoked: frozenset[Serial]
    expires: datetime
    lists_expire: datetime | None


class TlsFiles:
    """The files of one listener. `alpn`: the protocols that it speaks, what it likes best first."""

    def __init__(
        self, settings: TlsSettings, client_certificates: ClientCertificates, alpn: Sequence[str]
    ) -> None:
        if settings.certificate_file is None or settings.key_file is None:
            raise ValueError("without certificate_file and key_file there is no TLS")
        self._settings, self._mode, self._alpn = settings, client_certificates, list(alpn)
        self._certificate, self._key = settings.certificate_file, settings.key_file
        self.asks = client_certificates != "none"
        """Whether clients are asked for a certificate."""

    @property
    def exposed(self) -> bool:
        """Whether everyone on this machine may read the private key."""
        try:
            return bool(self._key.stat().st_mode & stat.S_IROTH)
        except OSError:
            return False

    def stamp(self) -> Stamp:
        """Changes when a file does: where it is, when it was written, its size. A file that is gone is a change, too."""
        settings = self._settings
        files = [self._certificate, self._key]
        if self.asks:
            files += [f for f in (settings.client_ca_file, settings.revocation_file) if f is not None]
        return tuple(_stamp(file) for file in files)

    def read(self) -> Trust:
        """Reads the files. Raises TlsFilesError. It may take milliseconds: call it in a thread."""
        try:
            return self._read()
        except TlsFilesError:
            raise
        except (
            Exception
        ) as error:  # whatever libraries find odd about files: the server goes on with the old ones
            raise TlsFilesError(
                f"the files of TLS cannot be read: {type(error).__name__}: {error}"
            ) from error

    def _read(self) -> Trust:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self._settings.minimum_version]
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(self._alpn)
        certificate = _read("tls.certificate_file", self._certificate)
        password = self._settings.key_password
        try:
            # A password is always given, since OpenSSL asks the terminal for one otherwise.
            context.load_cert_chain(
                self._certificate, self._key, password.get_secret_value() if password else ""
            )
        except (OSError, ValueError) as error:
            raise TlsFilesError(
                f"tls.certificate_file {self._certificate} and tls.key_file {self._key}: {_why(error)}"
            ) from None
        own = _certificates("tls.certificate_file", self._certificate, certificate)[0]
        authorities, revoked, lists_expire = self._clients(context)
        return Trust(context, authorities, revoked, own.not_valid_after_utc, lists_expire)

    def _clients(self, context: ssl.SSLContext) -> tuple[bytes, frozenset[Serial], datetime | None]:
        if not self.asks:
            return b"", frozenset(), None
        # A session that is resumed is not verified again: against a list that has expired meanwhile, for one (RFC 8446 2.2).
        context.num_tickets = 0
        file = self._settings.client_ca_file
        if file is None:
            raise ValueError("without client_ca_file no client can be verified")
        authorities = _read("tls.client_ca_file", file)
        trusted = _certificates("tls.client_ca_file", file, authorities)
        for one in trusted:
            _demand_authority(file, one)
        context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in trusted))
        context.verify_mode = _MODES[self._mode]
        if self._settings.revocation_file is None:
            return authorities, frozenset(), None
        lists = _lists(self._settings.revocation_file)
        with tempfile.NamedTemporaryFile() as only_lists:  # a certificate in the file would be trusted
            only_lists.write(b"".join(found.public_bytes(Encoding.PEM) for found in lists))
            only_lists.flush()
            context.load_verify_locations(cafile=only_lists.name)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        expiries = [found.next_update_utc for found in lists if found.next_update_utc is not None]
        revoked = frozenset(
            (found.issuer.public_bytes(), entry.serial_number) for found in lists for entry in found
        )
        return authorities, revoked, min(expiries, default=None)


def serial_of(certificate: bytes) -> Serial:
    """What names a verified certificate (DER)."""
    read = x509.load_der_x509_certificate(certificate)
    return read.issuer.public_bytes(), read.serial_number


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(setting: str, file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TlsFilesError(f"{setting} {file}: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise TlsFilesError(f"{setting} {file}: is larger than {_MOST_BYTES} bytes")
    return content


def _certificates(setting: str, file: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise TlsFilesError(f"{setting} {file}: holds no certificates in PEM ({error})") from None


def _demand_authority(file: Path, certificate: x509.Certificate) -> None:
    """A certificate of a single client in the place of its authority's would let that client in, and nobody know why."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        constraints = None
    if constraints is None or not constraints.value.ca:
        raise TlsFilesError(
            f"tls.client_ca_file {file}: {certificate.subject.rfc4514_string()!r} is no certificate of an authority"
        )


def _lists(file: Path) -> list[x509.CertificateRevocationList]:
    content = _read("tls.revocation_file", file)
    pieces = [_CRL_BEGIN + piece for piece in content.split(_CRL_BEGIN)[1:]]
    if not pieces:
        raise TlsFilesError(f"tls.revocation_file {file}: holds no list of revoked certificates in PEM")
    try:
        return [x509.load_pem_x509_crl(piece) for piece in pieces]
    except ValueError as error:
        raise TlsFilesError(f"tls.revocation_file {file}: {error}") from None


def _why(error: Exception) -> str:
    """What OpenSSL says, without the place in its source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def now() -> datetime:
    return datetime.now(UTC)
