"""Keys are read when they are needed, not when a caller wishes; those that are known outlast a reading that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from llm_schema_registry_server.auth.authenticator import CredentialAuthenticator
from llm_schema_registry_server.auth.key_source import KeySource, file_reader, url_reader
from llm_schema_registry_server.auth.permissions import Roles
from llm_schema_registry_server.auth.signing_keys import KeySetError
from llm_schema_registry_server.auth.standing import Standings
from llm_schema_registry_server.auth.token_check import TokenCheck
from llm_schema_registry_server.auth.tokens import TokenRules, TokenVerifier
from llm_schema_registry_server.errors import Unauthenticated, Unavailable
from llm_schema_registry_server.model.principal import Principal
from tests.support.tokens import AUDIENCE, ISSUER, Issuer


class Published:
    """A key set that changes, and how often it was read."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer, self.reads, self.away = issuer, 0, False
        self.now = 1000.0

    async def read(self) -> bytes:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise KeySetError("away")
        return self.issuer.key_set()

    def source(self, *, demanded: bool = False) -> KeySource:
        return KeySource("test", self.read, 300.0, demanded=demanded, clock=lambda: self.now)

    def authenticator(self, clock: Callable[[], float] = time.time) -> CredentialAuthenticator:
        rules = TokenRules(ISSUER, frozenset({AUDIENCE}))
        return CredentialAuthenticator(
            Principal("anonymous", anonymous=True),
            Standings(),
            tokens=TokenCheck(self.source(), TokenVerifier(rules, Roles())),
            clock=clock,
        )


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_key_that_is_new_is_found_at_once() -> None:
    published = Published(Issuer("ES256"))
    auth = published.authenticator()
    await auth.start()
    assert (await auth.authenticate(bearer(published.issuer.token()))).name == "ada"
    published.issuer = Issuer("RS256")
    published.now += 11
    assert (await auth.authenticate(bearer(published.issuer.token("RS256")))).name == "ada"
    assert published.reads == 2


async def test_made_up_key_ids_make_nobody_read_more_often() -> None:
    published = Published(Issuer("ES256"))
    auth = published.authenticator()
    await auth.start()
    published.now += 11
    for number in range(20):
        token = published.issuer.token(header={"kid": f"made up {number}"})
        with pytest.raises(Unauthenticated):
            await auth.authenticate(bearer(token))
    assert published.reads == 2


async def test_a_key_that_was_withdrawn_takes_its_tokens_along() -> None:
    published = Published(Issuer("ES256"))
    auth = published.authenticator()
    await auth.start()
    metadata = bearer(published.issuer.token())
    assert (await auth.authenticate(metadata)).name == "ada"
    assert auth.known(metadata) is not None
    published.issuer = Issuer("ES256")
    published.now += 301
    with pytest.raises(Unauthenticated):  # by the keys that were known; a reading is due and begins
        await auth.authenticate(bearer(published.issuer.token()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert auth.known(metadata) is None
    with pytest.raises(Unauthenticated):
        await auth.authenticate(metadata)


async def test_known_keys_outlast_an_issuer_that_is_away() -> None:
    published = Published(Issuer("ES256"))
    auth = published.authenticator()
    await auth.start()
    published.away = True
    published.now += 301
    assert (await auth.authenticate(bearer(published.issuer.token()))).name == "ada"


async def test_without_any_keys_the_server_says_that_it_cannot_tell() -> None:
    published = Published(Issuer("ES256"))
    published.away = True
    auth = published.authenticator()
    await auth.start()
    with pytest.raises(Unavailable):
        await auth.authenticate(bearer(published.issuer.token()))
    published.away = False
    published.now += 11
    assert (await auth.authenticate(bearer(published.issuer.token()))).name == "ada"
    published.away = True
    with pytest.raises(Unavailable, match="away"):
        await published.source(demanded=True).start()


async def test_many_calls_wait_for_one_reading_and_none_ends_it_for_the_others() -> None:
    published = Published(Issuer("ES256"))
    source = published.source()
    waiting = [asyncio.create_task(source.keys()) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    assert published.reads == 1


async def test_a_remembered_token_does_not_outlive_its_expiry() -> None:
    published = Published(Issuer("ES256"))
    now = [0.0]
    auth = published.authenticator(clock=lambda: now[0])
    await auth.start()
    metadata = bearer(published.issuer.token(exp=2_000_000_000))
    await auth.authenticate(metadata)
    assert auth.known(metadata) is not None
    now[0] = 2_000_000_031.0
    assert auth.known(metadata) is None


async def test_a_token_does_not_outlive_the_key_that_signed_it() -> None:
    published = Published(Issuer("ES256"))
    auth = published.authenticator()
    await auth.start()
    metadata = bearer(published.issuer.token())
    await auth.authenticate(metadata)
    assert auth.known(metadata) is not None
    published.issuer = Issuer("RS256")
    published.now += 301
    await auth.authenticate(bearer(published.issuer.token("RS256")))
    assert auth.known(metadata) is None
    with pytest.raises(Unauthenticated):
        await auth.authenticate(metadata)


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Basic YTpi", "Digest x", "\x00", "bearer\ttoken"]
)
async def test_other_credentials_are_refused(shown: str) -> None:
    auth = Published(Issuer("ES256")).authenticator()
    with pytest.raises(Unauthenticated):
        await auth.authenticate({"authorization": shown})


async def test_a_file_is_named_when_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeySetError, match="nothing here"):
        await file_reader(tmp_path / "nothing here")()


@pytest.mark.parametrize("url", ["http://10.0.0.7/keys", "file:///etc/passwd", "ftp://x/keys", "keys"])
def test_keys_come_over_https_only(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        url_reader(url)


class Issuing:
    """An issuer that publishes its keys over HTTP on loopback, or whatever `answer` makes."""

    def __init__(self, answer: Callable[[web.Request], web.Response]) -> None:
        self.answer = answer

    async def __aenter__(self) -> str:
        application = web.Application()
        application.router.add_get("/keys", self._answer)
        application.router.add_get("/elsewhere", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        return f"http://{host}:{port}/keys"

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        return self.answer(request)


async def test_keys_are_read_from_a_file_and_from_an_address(tmp_path: Path) -> None:
    issuer = Issuer("ES256", "RS256")
    path = issuer.write(tmp_path / "keys.json")
    async with Issuing(lambda request: web.Response(body=issuer.key_set())) as url:
        for read in (file_reader(path), url_reader(url)):
            assert len(await KeySource("test", read, 300.0).keys()) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda request: web.Response(status=503), "127.0.0.1 answered 503"),
        (lambda request: web.Response(status=302, headers={"location": "/elsewhere"}), "answered 302"),
        (lambda request: web.Response(body=b" " * 300_000), "bytes"),
        (lambda request: web.Response(body=b"<html>"), "not JSON"),
    ],
    ids=["an error", "a redirection", "much", "a page"],
)
async def test_an_issuer_that_answers_otherwise_gives_no_keys_and_the_operator_learns_why(
    answer: Callable[[web.Request], web.Response], why: str
) -> None:
    async with Issuing(answer) as url:
        source = KeySource("test", url_reader(url), 300.0)
        await source.start()
        assert why in source.fault
    with pytest.raises(Unavailable):
        await source.keys()


async def test_an_issuer_that_is_not_there_is_told_without_its_address() -> None:
    async with Issuing(lambda request: web.Response()) as url:
        pass
    source = KeySource("test", url_reader(url), 300.0)
    await source.start()
    assert source.fault.startswith("127.0.0.1 cannot be reached: ")
    assert "/keys" not in source.fault


async def test_a_reading_that_goes_on_ends_with_the_server() -> None:
    begun = asyncio.Event()

    async def read() -> bytes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    source = KeySource("test", read, 300.0)
    waiting = asyncio.create_task(source.keys())
    await begun.wait()
    await source.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await source.stop()  # nothing goes on
