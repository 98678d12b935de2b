"""A small certificate authority: certificates as they should be, and as they should not be, and lists of those it has revoked."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

DAY = datetime.timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate, with those above it, and its key; in PEM."""

    certificate: bytes
    key: bytes
    read: x509.Certificate

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """The files of the certificate and of the key."""
        directory.mkdir(parents=True, exist_ok=True)
        files = directory / f"{name}.pem", directory / f"{name}.key"
        files[0].write_bytes(self.certificate)
        files[1].write_bytes(self.key)
        files[1].chmod(0o600)
        return files


class Authority:
    """Signs what it is asked for. `above`: the authority that has signed its own certificate; itself without one."""

    def __init__(self, name: str = "test authority", above: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self._above = above
        signer = above or self
        self.certificate = (
            _builder(self.name, signer.name, self._key, now() - DAY, now() + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(signer._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        common: str = "client",
        *,
        uris: Iterable[str] = (),
        names: Iterable[str] = (),
        emails: Iterable[str] = (),
        addresses: Iterable[str] = (),
        purpose: ObjectIdentifier | None = CLIENT,
        begins: datetime.datetime | None = None,
        ends: datetime.datetime | None = None,
    ) -> Pair:
        """A certificate for a client, good unless it is asked for otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common), self.name, key, begins or now() - DAY, ends or now() + DAY)
        subject: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        subject += [x509.DNSName(name) for name in names]
        subject += [x509.RFC822Name(email) for email in emails]
        subject += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if subject:
            builder = builder.add_extension(x509.SubjectAlternativeName(subject), critical=False)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = builder.sign(self._key, hashes.SHA256())
        chain = made.public_bytes(serialization.Encoding.PEM) + (self.pem if self._above else b"")
        return Pair(chain, _key_pem(key), made)

    def server(self, *names: str, ends: datetime.datetime | None = None) -> Pair:
        """A certificate for a server on this machine, or under other names."""
        return self.issue(
            "server",
            names=names or ("localhost",),
            addresses=() if names else ("127.0.0.1",),
            purpose=SERVER,
            ends=ends,
        )

    def revocations(self, *revoked: Pair, ends: datetime.datetime | None = None) -> bytes:
        """A list of revoked certificates, in PEM."""
        begins = now() - DAY
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(begins)
            .next_update(ends or now() + DAY)
        )
        for pair in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(pair.read.serial_number)
                .revocation_date(begins)
                .build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signed_by(pair: Pair, *, uris: Iterable[str] = ()) -> Pair:
    """A certificate that whoever holds `pair`, and is no authority, has signed all the same."""
    forger = Authority()
    forger.name = pair.read.subject
    key = serialization.load_pem_private_key(pair.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forger._key = key
    made = forger.issue("forged", uris=uris)
    return Pair(made.certificate + pair.certificate, made.key, made.read)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime.datetime,
    ends: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
