"""A provider is found by its address, and believed about tokens as far as RFC 7662 goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from llm_schema_registry_server.auth.authenticator import FREE_GUESSES, CredentialAuthenticator
from llm_schema_registry_server.auth.key_source import KeySource
from llm_schema_registry_server.auth.permissions import ROLES, Roles
from llm_schema_registry_server.auth.provider import Introspection, Provider
from llm_schema_registry_server.auth.signing_keys import KeySetError
from llm_schema_registry_server.auth.standing import Standings
from llm_schema_registry_server.auth.token_check import TokenCheck
from llm_schema_registry_server.auth.tokens import TokenRules, TokenVerifier, credential_of
from llm_schema_registry_server.errors import LimitExceeded, Unauthenticated, Unavailable
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.queues.fair_queue import QueueLimits, Queues
from llm_schema_registry_server.settings.auth import AuthSettings
from tests.support.oidc import OidcProvider
from tests.support.tokens import AUDIENCE


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with OidcProvider(roles={"ada": ["reader"]}) as made:
        yield made


class World:
    """An authenticator that asks a provider."""

    def __init__(
        self, provider: OidcProvider, *, always: bool = False, secret: str = "", lockout: float = 0
    ) -> None:
        self.seconds, self.revoked = 0.0, set[str]()
        rules = TokenRules(provider.issuer, frozenset({AUDIENCE}))
        verifier, named = TokenVerifier(rules, Roles()), Provider(provider.issuer)
        self.standings = Standings()
        tokens = TokenCheck(
            KeySource("test", named.read_keys, 300.0),
            verifier,
            self.revoked,
            introspection=Introspection(
                named,
                "server",
                secret or provider.clients["server"],
                verifier,
                Queues(QueueLimits()),
                seconds=30.0,
            ),
            asks_always=always,
        )
        self.auth = CredentialAuthenticator(
            Principal("anonymous", anonymous=True),
            self.standings,
            tokens=tokens,
            lockout_seconds=lockout,
            monotonic=lambda: self.seconds,
        )

    async def shown(self, token: str) -> Principal:
        return await self.auth.authenticate({"authorization": f"Bearer {token}"}, "10.0.0.1")


@pytest_asyncio.fixture
async def make(provider: OidcProvider) -> AsyncIterator[Callable[..., World]]:
    worlds: list[World] = []

    def made(**options: Any) -> World:
        worlds.append(World(provider, **options))
        return worlds[-1]

    yield made
    for world in worlds:
        await world.auth.stop()


async def test_keys_are_found_and_followed(provider: OidcProvider, make: Callable[..., World]) -> None:
    world = make()
    assert (await world.shown(provider.token("ada"))).permissions == ROLES["reader"]
    assert provider.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}


async def test_a_provider_that_says_it_is_another_is_not_believed(provider: OidcProvider) -> None:
    for named in (provider.issuer + "/", "https://login.example.com"):
        provider.named = named
        with pytest.raises(KeySetError, match="another issuer"):
            await Provider(provider.issuer).read_keys()


@pytest.mark.parametrize(
    "url", ["http://login.example.com", "ftp://x", "", "https://", "file:///etc/passwd", "http://[::1"]
)
def test_providers_are_asked_over_https_only(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Provider(url)


async def test_an_opaque_token_is_what_its_provider_says(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    world, token = make(), provider.token("ada")
    principal = await world.shown(token)
    assert (principal.name, principal.permissions) == ("ada", ROLES["reader"])
    assert principal.credential == credential_of(str(provider.issued[token].claims["jti"]))
    await world.shown(token)
    assert provider.asked["/introspect"] == 1
    provider.revoke(token)
    world.seconds = 29.0
    await world.shown(token)
    world.seconds = 30.0
    with pytest.raises(Unauthenticated, match="not active"):
        await world.shown(token)


async def test_tokens_that_this_registry_revoked_count_no_more(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    world = make()
    for jti in ("7", None):
        token = provider.token("ada", jti=jti)
        principal = await world.shown(token)
        world.revoked.add(principal.credential.removeprefix("token "))
        world.standings.end(principal.credential)
        with pytest.raises(Unauthenticated, match="revoked"):
            await world.shown(token)


async def test_all_tokens_are_asked_about_where_the_settings_say_so(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    token = provider.token("ada")
    here, always = make(), make(always=True)
    await here.shown(token)
    assert provider.asked["/introspect"] == 0
    await always.shown(token)
    provider.revoke(token)
    always.seconds = 31.0
    with pytest.raises(Unauthenticated):
        await always.shown(token)
    await here.shown(token)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"active": "true"}, "not active"),
        ({"active": 1}, "not active"),
        ({"aud": "another"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"iss": "https://another.example"}, "another issuer"),
        ({"exp": 1}, "expired"),
        ({"exp": "never"}, "not a number"),
        ({"token_type": "refresh_token"}, "no access token"),
        ({"sub": None}, "its subject"),
        ({"sub": "key:ci"}, "begins as"),
        ({"nbf": 9e9}, "not valid yet"),
    ],
    ids=str,
)
async def test_answers_that_do_not_fit_are_refused(
    provider: OidcProvider, make: Callable[..., World], answer: dict[str, Any], why: str
) -> None:
    provider.opaque = True
    token = provider.token("ada")
    provider.answer = lambda found: {**found, **answer}
    with pytest.raises(Unauthenticated, match=why):
        await make().shown(token)


async def test_what_may_be_left_out_may_be_left_out(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    token = provider.token("ada")
    provider.answer = lambda found: {"active": True, "aud": [AUDIENCE], "username": "ada", "roles": "reader"}
    principal = await make().shown(token)
    assert (principal.name, principal.roles) == ("ada", {"reader"})
    assert principal.expires is not None
    assert principal.credential.startswith("token sha256:")


@pytest.mark.parametrize("answer", [[], "x", None])
async def test_a_provider_that_answers_nonsense_is_away(
    provider: OidcProvider, make: Callable[..., World], answer: Any
) -> None:
    provider.opaque = True
    token = provider.token("ada")
    provider.answer = lambda found: answer
    with pytest.raises(Unavailable) as refused:
        await make().shown(token)
    assert "127.0.0.1" not in refused.value.message


async def test_a_provider_that_is_away_is_no_reason_to_refuse_for_good(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    world, token = make(), provider.token("ada")
    provider.silent = True
    with pytest.raises(Unavailable):
        await world.shown(token)
    provider.silent = False
    assert (await world.shown(token)).name == "ada"


async def test_a_server_with_a_wrong_secret_lets_nobody_in(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    with pytest.raises(Unavailable):
        await make(secret="wrong").shown(provider.token("ada"))


@pytest.mark.parametrize("shown", ["a b", "a\x00b", "\u00e9", "x" * 5000, "a,b", "=", "a=b"])
async def test_what_is_no_token_is_not_asked_about(
    provider: OidcProvider, make: Callable[..., World], shown: str
) -> None:
    with pytest.raises(Unauthenticated):
        await make().shown(shown)
    assert provider.asked["/introspect"] == 0


async def test_nobody_makes_the_server_ask_for_ever(
    provider: OidcProvider, make: Callable[..., World]
) -> None:
    provider.opaque = True
    world = make(lockout=60.0)
    refusals: list[Any] = []
    for number in range(30):
        with pytest.raises((Unauthenticated, LimitExceeded)) as refused:
            await world.shown(f"guess-{number}")
        refusals.append(refused.type)
    assert refusals[-1] is LimitExceeded
    assert provider.asked["/introspect"] == FREE_GUESSES + 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"oidc": {"issuer": "https://a.example"}}, "audience"),
        (
            {
                "oidc": {"issuer": "https://a.example"},
                "jwt": {"audience": "x", "issuer": "https://b.example"},
            },
            "another",
        ),
        ({"oidc": {"introspection": "opaque"}}, "issuer and client_id and client_secret"),
        (
            {
                "oidc": {"issuer": "https://a.example"},
                "jwt": {"audience": "x", "issuer": "https://a.example", "keys_url": "https://a.example/k"},
            },
            "one of the two",
        ),
    ],
    ids=range(4),
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AuthSettings.model_validate(given)
