"""Which tokens count: those of the issuer, for this server, now, for access; and nothing that only looks like one."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.auth.signing_keys import KeySetError, read_key_set
from llm_schema_registry_server.auth.tokens import (
    TokenFacts,
    TokenRules,
    TokenVerifier,
    UnknownKey,
    credential_of,
    facts_of,
    token_of,
)
from llm_schema_registry_server.errors import Unauthenticated
from tests.support.tokens import ALGORITHMS, AUDIENCE, ISSUER, Issuer, new_key

GOOD = Issuer(*ALGORITHMS)
KEYS = read_key_set(GOOD.key_set())
ROLES_OF_SERVER = Roles({"reviewer": ["schema:read", "compatibility:check"]})
RULES = TokenRules(ISSUER, frozenset({AUDIENCE}), role_names={"registry-admins": "admin"})


def verified(token: str, **changed: Any) -> Any:
    rules = TokenRules(**{**{name: getattr(RULES, name) for name in RULES.__slots__}, **changed})
    return TokenVerifier(rules, ROLES_OF_SERVER).verify(token, KEYS)


def part(value: Any) -> str:
    return (
        urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode())
        .rstrip(b"=")
        .decode()
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_names_its_principal(algorithm: str) -> None:
    principal = verified(GOOD.token(algorithm, roles=["reader"], header={"typ": "at+jwt"}))
    assert (principal.name, principal.anonymous) == ("ada", False)
    assert principal.permissions == ROLES["reader"]
    assert principal.expires == pytest.approx(time.time() + 630, abs=60)


def claims_of_good() -> dict[str, Any]:
    now = time.time()
    return {
        "sub": "ada",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now - 1,
        "exp": now + 600,
        "roles": ["admin"],
    }


def unsigned() -> str:
    return f"{part({'alg': 'none'})}.{part(claims_of_good())}."


def by_hand(header: dict[str, Any], secret: bytes) -> str:
    """Signed with HS256, whatever its header says."""
    signed = f"{part(header)}.{part(claims_of_good())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), 'sha256'))}"


def public_key_as_secret() -> str:
    """The classic: HS256 with the public RSA key, which everyone has, as the secret."""
    public = GOOD.keys["RS256"].raw_value.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return by_hand({"alg": "HS256", "kid": "key of RS256"}, pem)


def other_claims() -> str:
    """The signature of one token under the claims of another."""
    header, _, signature = GOOD.token(roles=["reader"]).split(".")
    return ".".join((header, part(claims_of_good()), signature))


NOW = time.time()
REFUSED: dict[str, Callable[[], str]] = {
    "no algorithm": unsigned,
    "no algorithm, in capitals": lambda: unsigned().replace(part({"alg": "none"}), part({"alg": "NONE"})),
    "a public key as a secret": public_key_as_secret,
    "claims changed": other_claims,
    "a key of its own": lambda: GOOD.token(key=new_key("ES256", "key of ES256")),
    "a key in its header": lambda: GOOD.token(
        key=(own := new_key("ES256", "key of ES256")), header={"jwk": own.as_dict(private=False)}
    ),
    "an algorithm that the key is not for": lambda: GOOD.token("RS256").replace(
        GOOD.token("RS256").split(".")[0], part({"alg": "PS256", "kid": "key of RS256"})
    ),
    "a critical extension": lambda: by_hand(
        {"alg": "HS256", "kid": "key of HS256", "crit": ["exp"], "exp": 1}, GOOD.keys["HS256"].raw_value
    ),
    "expired": lambda: GOOD.token(exp=NOW - 31),
    "no expiry": lambda: GOOD.token(exp=None),
    "an expiry that is no number": lambda: GOOD.token(exp="tomorrow"),
    "an endless expiry": lambda: GOOD.token(exp=1e300),
    "true as an expiry": lambda: GOOD.token(exp=True),
    "not yet": lambda: GOOD.token(nbf=NOW + 3600),
    "from the future": lambda: GOOD.token(iat=NOW + 3600),
    "another issuer": lambda: GOOD.token(iss="https://elsewhere.example"),
    "no issuer": lambda: GOOD.token(iss=None),
    "another audience": lambda: GOOD.token(aud="billing"),
    "no audience": lambda: GOOD.token(aud=None),
    "an audience that is an object": lambda: GOOD.token(aud={AUDIENCE: 1}),
    "a refresh token": lambda: GOOD.token(token_type="Refresh"),
    "a refresh token of Keycloak": lambda: GOOD.token(typ="Refresh"),
    "an ID token of Cognito": lambda: GOOD.token(token_use="id"),
    "a refresh token by its header": lambda: GOOD.token(header={"typ": "rt+jwt"}),
    "a logout token": lambda: GOOD.token(header={"typ": "logout+jwt"}),
    "no subject": lambda: GOOD.token(sub=None),
    "an empty subject": lambda: GOOD.token(sub=""),
    "a subject with a line break": lambda: GOOD.token(sub="ada\nroot"),
    "a subject that is a number": lambda: GOOD.token(sub=7),
    "too long": lambda: GOOD.token(note="x" * 20_000),
    "two parts": lambda: ".".join(GOOD.token().split(".")[:2]),
    "nothing": lambda: "",
    "claims that are a list": lambda: jws.serialize_compact({"alg": "ES256"}, "[]", GOOD.keys["ES256"]),
    "claims nested too deep": lambda: jws.serialize_compact(
        {"alg": "ES256"}, "[" * 5000 + "]" * 5000, GOOD.keys["ES256"]
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_only_looks_like_a_token_is_refused(why: str) -> None:
    token = REFUSED[why]()
    with pytest.raises((Unauthenticated, UnknownKey)) as refused:
        verified(token)
    assert not token or token not in str(refused.value), "credentials have no place in messages"


@given(
    st.text(max_size=60)
    | st.lists(st.binary(max_size=30), min_size=3, max_size=3).map(lambda p: ".".join(map(part, p)))
)
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises((Unauthenticated, UnknownKey)):
        verified(junk)


def test_the_hand_that_forges_makes_good_tokens_too() -> None:
    secret = GOOD.keys["HS256"].raw_value
    assert verified(by_hand({"alg": "HS256", "kid": "key of HS256"}, secret)).name == "ada"


def test_clocks_may_be_apart_by_the_leeway() -> None:
    assert verified(GOOD.token(exp=time.time() - 20)).name == "ada"
    with pytest.raises(Unauthenticated):
        verified(GOOD.token(exp=time.time() - 20), leeway_seconds=0.0)


@pytest.mark.parametrize(
    ("claims", "changed", "expected"),
    [
        ({}, {}, set()),
        ({}, {"default_roles": frozenset({"reader"})}, ROLES["reader"]),
        ({"roles": ["reader"]}, {"default_roles": frozenset({"admin"})}, ROLES["reader"]),
        ({"roles": ["registry-admins"]}, {}, ROLES["admin"]),
        ({"roles": ["nobody knows", 7, None]}, {}, set()),
        ({"roles": "reader reviewer"}, {}, ROLES["reader"] | {"compatibility:check"}),
        ({"realm_access": {"roles": ["service"]}}, {"roles_claim": "realm_access.roles"}, ROLES["service"]),
        (
            {"https://x.example/roles": ["service"]},
            {"roles_claim": "https://x.example/roles"},
            ROLES["service"],
        ),
        ({"realm_access": "x"}, {"roles_claim": "realm_access.roles"}, set()),
        ({"permissions": ["schema:read", "schema:fly"]}, {}, {"schema:read"}),
        ({"scope": "openid schema:read"}, {"permissions_claim": "scope"}, {"schema:read"}),
        ({"permissions": ["schema:read"]}, {"permissions_claim": ""}, set()),
    ],
)
def test_claims_become_permissions(
    claims: dict[str, Any], changed: dict[str, Any], expected: set[str]
) -> None:
    assert verified(GOOD.token(**claims), **changed).permissions == expected


def test_a_token_without_a_key_id_needs_just_one_key_that_fits() -> None:
    token = jws.serialize_compact({"alg": "ES256"}, json.dumps(claims_of_good()), GOOD.keys["ES256"])
    assert verified(token).name == "ada"
    both = json.loads(GOOD.key_set())["keys"] + [new_key("ES256", "another").as_dict(private=False)]
    with pytest.raises(UnknownKey):
        TokenVerifier(RULES, ROLES_OF_SERVER).verify(token, read_key_set(json.dumps({"keys": both}).encode()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "must be"),
        (b'{"keys": {}}', "must be"),
        (b'{"keys": [1]}', "must be"),
        (b'{"keys": []}', "no key"),
        (b'{"keys": [{"kty": "RSA"}]}', "cannot be read"),
        (b'{"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}', "32 bytes"),
        (b'{"keys": [{"kty": "oct", "k": "c2hvcnQ", "alg": "RS256"}]}', "no key"),
        (b'{"keys": [{"kty": "oct", "k": "c2hvcnQ", "use": "enc"}]}', "no key"),
        (json.dumps({"keys": [new_key("HS256", "a").as_dict(private=True)] * 2}).encode(), "two keys"),
        (json.dumps({"keys": [new_key("HS256", "a").as_dict(private=True)] * 101}).encode(), "101 keys"),
        (b" " * 300_000, "bytes"),
    ],
)
def test_a_key_set_that_cannot_be_used_says_why(text: bytes, says: str) -> None:
    with pytest.raises(KeySetError, match=says):
        read_key_set(text)


def test_a_role_cannot_be_what_it_is_not() -> None:
    with pytest.raises(ValueError, match="built in"):
        Roles({"admin": []})
    with pytest.raises(ValueError, match="schema:fly"):
        Roles({"pilot": ["schema:fly"]})


def test_what_a_token_says_of_itself_is_enough_to_revoke_it_whoever_has_signed_it() -> None:
    forged = Issuer("ES256").token(jti="j-1", sub="ada", exp=1_800_000_000)
    assert facts_of(forged) == TokenFacts("j-1", 1.8e9, "ada")
    bare = facts_of(jws.serialize_compact({"alg": "ES256"}, json.dumps({"sub": 7}), GOOD.keys["ES256"]))
    assert (bare.expires, bare.name) == (None, "")
    assert bare.token_id.startswith("sha256:")
    assert token_of(credential_of(bare.token_id)) == bare.token_id


@pytest.mark.parametrize("name", ["a\nb", "x" * 256, "", None])
def test_a_name_that_no_record_can_carry_is_left_out(name: str | None) -> None:
    assert facts_of(GOOD.token(sub=name)).name == ""


@pytest.mark.parametrize("name", ["key:ci", "cert:uri:x"])
def test_no_token_passes_for_another_kind_of_caller(name: str) -> None:
    with pytest.raises(Unauthenticated, match="only API keys and certificates"):
        verified(GOOD.token(sub=name))


@pytest.mark.parametrize("jti", [None, "", 7, "x" * 256, "a\nb"])
def test_a_token_without_a_usable_id_is_known_by_what_was_signed(jti: object) -> None:
    token = GOOD.token(jti=jti)
    found = facts_of(token).token_id
    assert found == facts_of(token.rpartition(".")[0] + ".AAAA").token_id, (
        "the signature may be written in many ways"
    )
    assert found != facts_of(GOOD.token(jti=jti, sub="bob")).token_id


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c", f"{part({'alg': 'ES256'})}.{part([1])}.", f"{part({})}.{part(b'no json')}."]
)
def test_what_is_no_token_has_no_facts(text: str) -> None:
    with pytest.raises(Unauthenticated):
        facts_of(text)


def test_attributes_come_from_the_claims_that_the_settings_name() -> None:
    claims = {"dept": "risk", "level": 3, "on": True, "long": "x" * 256, "deep": {"er": "y"}}
    paths = {
        "department": "dept",
        "clearance": "level",
        "a": "on",
        "b": "long",
        "c": "nowhere",
        "d": "deep.er",
    }
    found = verified(GOOD.token(**claims), attribute_claims=paths).attributes
    assert found == {"department": "risk", "clearance": "3", "d": "y"}
