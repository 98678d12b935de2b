"""Whom a certificate names, and with which roles."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from llm_schema_registry_server.auth.certificates import (
    CertificateNames,
    CertificatePrincipals,
)
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.errors import Unauthenticated
from tests.support.authority import Authority, Pair

AUTHORITY = Authority()
ALL = ("uri", "dns", "email", "cn")


def der(pair: Pair) -> bytes:
    return pair.read.public_bytes(Encoding.DER)


def principals(granted: Mapping[str, tuple[str, ...]], **options: object) -> CertificatePrincipals:
    return CertificatePrincipals(CertificateNames(ALL), Roles(), granted, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        (("uri", "dns"), "uri:spiffe://a/b"),
        (("dns", "uri"), "dns:one.example"),
        (("email",), "email:me@example.test"),
        (("cn",), "cn:common"),
        (("cn", "uri"), "cn:common"),
    ],
)
def test_the_first_name_of_the_first_kind_counts(kinds: tuple[str, ...], name: str) -> None:
    pair = AUTHORITY.issue(
        "common",
        uris=["spiffe://a/b", "spiffe://a/c"],
        names=["one.example", "two.example"],
        emails=["me@example.test"],
    )
    assert CertificateNames(kinds).name(pair.read) == name


def test_a_kind_that_is_not_there_is_passed_by() -> None:
    pair = AUTHORITY.issue("common", names=["one.example"])
    assert CertificateNames(("uri", "dns")).name(pair.read) == "dns:one.example"
    assert CertificateNames(("uri", "email")).name(pair.read) is None
    assert CertificateNames(("uri",)).name(AUTHORITY.issue("common").read) is None


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\u202eevil"])
def test_a_name_that_no_log_can_carry_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated, match="cannot be shown"):
        principals({}).principal(der(AUTHORITY.issue(name)))


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="cannot be shown"):
        principals({}).principal(der(AUTHORITY.issue(uris=["spiffe://" + "x" * 256])))


def test_roles_come_from_exact_names_and_patterns_together() -> None:
    found = principals(
        {
            "uri:spiffe://prod/llm/worker": ("reader",),
            "uri:spiffe://prod/*": ("service",),
            "uri:spiffe://dev/*": ("admin",),
            "dns:spiffe://prod/*": ("admin",),
        }
    ).principal(der(AUTHORITY.issue(uris=["spiffe://prod/llm/worker"])))
    assert found.label == "cert:uri:spiffe://prod/llm/worker"
    assert found.roles == {"reader", "service"}
    assert found.permissions == ROLES["reader"] | ROLES["service"]
    assert not found.anonymous


def test_who_fits_nothing_has_the_default_roles_and_no_others() -> None:
    shown = der(AUTHORITY.issue(uris=["spiffe://prod/x"]))
    assert principals({"uri:spiffe://dev/*": ("admin",)}).principal(shown).permissions == frozenset()
    told = principals({"uri:spiffe://prod/*": ("reader",)}, default_roles=("admin",))
    assert told.principal(shown).permissions == ROLES["reader"]
    assert told.principal(der(AUTHORITY.issue(uris=["spiffe://dev/x"]))).permissions == ROLES["admin"]


def test_a_pattern_needs_all_of_the_name() -> None:
    granted = {"dns:*.workers.example": ("admin",)}
    for name in ("workers.example", "a.workers.example.evil", "aworkers.example"):
        assert principals(granted).principal(der(AUTHORITY.issue(names=[name]))).permissions == frozenset()


def test_a_role_that_does_not_exist_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'wizard'"):
        principals({"dns:a": ("wizard",)})


def test_a_certificate_counts_until_it_expires_also_when_it_is_remembered() -> None:
    pair = AUTHORITY.issue(uris=["spiffe://a"])
    end = pair.read.not_valid_after_utc.timestamp()
    now = end - 1
    known = principals({}, clock=lambda: now)
    assert known.principal(der(pair)).expires == end
    now = end
    with pytest.raises(Unauthenticated, match="expired"):
        known.principal(der(pair))


@pytest.mark.parametrize("shown", [b"", b"0\x82", b"\x30" * 5000, der(AUTHORITY.issue())[:-20]])
def test_what_is_no_certificate_is_nobody(shown: bytes) -> None:
    with pytest.raises(Unauthenticated, match="cannot be read"):
        principals({}).principal(shown)


def test_a_certificate_that_names_nobody_is_nobody() -> None:
    only_uris = CertificatePrincipals(CertificateNames(("uri",)), Roles(), {})
    with pytest.raises(Unauthenticated, match="names nobody"):
        only_uris.principal(der(AUTHORITY.issue("common")))
