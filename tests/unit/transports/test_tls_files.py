"""From files to what is spoken with them; each mistake in them is named."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from llm_schema_registry_server.settings import TlsSettings
from llm_schema_registry_server.transports.front.context import TlsFiles, TlsFilesError, Trust
from tests.support.authority import DAY, Authority, now

ALPN = ("h2",)
SERVERS, CLIENTS = Authority("servers"), Authority("clients")


class Files:
    """Good ones, to be spoilt."""

    def __init__(self, directory: Path) -> None:
        self.pair = SERVERS.server()
        self.certificate, self.key = self.pair.write(directory, "server")
        self.ca, self.crl = directory / "ca.pem", directory / "crl.pem"
        self.ca.write_bytes(CLIENTS.pem)
        self.crl.write_bytes(CLIENTS.revocations())

    def settings(self, **more: object) -> TlsSettings:
        return TlsSettings(
            certificate_file=self.certificate,
            key_file=self.key,
            client_certificates="required",
            client_ca_file=self.ca,
            revocation_file=self.crl,
            **more,  # type: ignore[arg-type]
        )

    def read(self, **more: object) -> Trust:
        return TlsFiles(self.settings(**more), "required", ALPN).read()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_good_files_say_what_is_asked(files: Files) -> None:
    trust = files.read()
    context = trust.context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN == ssl.VERIFY_CRL_CHECK_CHAIN
    assert context.num_tickets == 0
    assert abs((trust.expires - now()) - DAY).total_seconds() < 60
    assert trust.lists_expire is not None
    assert trust.revoked == frozenset()


def test_nobody_is_asked_where_nobody_is_to_be_asked(files: Files) -> None:
    trust = TlsFiles(files.settings(minimum_version="1.2"), "none", ALPN).read()
    assert trust.context.verify_mode == ssl.CERT_NONE
    assert trust.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_revoked_certificates_are_known_by_issuer_and_number(files: Files) -> None:
    bad = CLIENTS.issue()
    files.crl.write_bytes(CLIENTS.revocations(bad))
    assert files.read().revoked == {(CLIENTS.name.public_bytes(), bad.read.serial_number)}


SPOILT: dict[str, tuple[Callable[[Files], object], str]] = {
    "certificate missing": (
        lambda f: f.certificate.unlink(),
        r"certificate_file .*server\.pem: No such file",
    ),
    "certificate no PEM": (lambda f: f.certificate.write_text("hello"), r"certificate_file .*server\.pem"),
    "key missing": (lambda f: f.key.unlink(), r"key_file .*server\.key: No such file"),
    "key empty": (lambda f: f.key.write_bytes(b""), "key_file"),
    "key of another": (lambda f: f.key.write_bytes(SERVERS.server().key), "key values mismatch"),
    "authorities missing": (lambda f: f.ca.unlink(), r"client_ca_file .*ca\.pem: No such file"),
    "authorities empty": (lambda f: f.ca.write_bytes(b""), "client_ca_file .*holds no certificates"),
    "a client among the authorities": (
        lambda f: f.ca.write_bytes(CLIENTS.pem + CLIENTS.issue("me").certificate),
        "'CN=me' is no certificate of an authority",
    ),
    "list missing": (lambda f: f.crl.unlink(), r"revocation_file .*crl\.pem: No such file"),
    "list empty": (lambda f: f.crl.write_bytes(b""), "revocation_file .*holds no list"),
    "list cut off": (lambda f: f.crl.write_bytes(CLIENTS.revocations()[:-40]), "revocation_file"),
    "certificate too large": (lambda f: f.certificate.write_bytes(b"x" * (17 << 20)), "larger than"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_file_that_cannot_be_used_is_named(files: Files, what: str) -> None:
    spoil, said = SPOILT[what]
    spoil(files)
    with pytest.raises(TlsFilesError, match=said) as refused:
        files.read()
    assert "PRIVATE KEY" not in str(refused.value)


def test_a_certificate_in_the_file_of_lists_is_not_trusted(files: Files) -> None:
    """OpenSSL reads both kinds from a file, and would trust an authority that stands among the lists."""
    stranger = Authority("stranger")
    files.crl.write_bytes(CLIENTS.revocations() + stranger.pem)
    names = [dict(pair[0] for pair in found["subject"]) for found in files.read().context.get_ca_certs()]  # type: ignore[misc,union-attr]
    assert names == [{"commonName": "clients"}]


def test_an_encrypted_key_needs_its_password_and_nobody_is_asked_for_it(files: Files) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.pair.key, None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    assert files.read(key_password=SecretStr("open sesame")).context is not None
    for wrong in (None, SecretStr("sesame")):
        with pytest.raises(TlsFilesError, match="key_file"):
            files.read(key_password=wrong)


def test_a_file_that_changes_is_noticed_even_when_it_keeps_its_size_and_time(
    files: Files, tmp_path: Path
) -> None:
    found = TlsFiles(files.settings(), "required", ALPN)
    before = found.stamp()
    assert found.stamp() == before
    told = files.crl.stat()
    other = tmp_path / "new.pem"
    other.write_bytes(files.crl.read_bytes())
    os.utime(other, ns=(told.st_atime_ns, told.st_mtime_ns))
    other.rename(files.crl)
    assert found.stamp() != before
    before = found.stamp()
    files.key.unlink()
    assert found.stamp() != before


def test_a_link_is_followed_as_secrets_of_kubernetes_are_mounted(files: Files, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "crl.pem").write_bytes(CLIENTS.revocations(CLIENTS.issue()))
    data = tmp_path / "data"
    data.symlink_to("a")
    files.crl.unlink()
    files.crl.symlink_to("data/crl.pem")
    found = TlsFiles(files.settings(), "required", ALPN)
    before = found.stamp()
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(data)
    assert found.stamp() != before
