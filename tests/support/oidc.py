"""A provider of OpenID Connect on loopback: discovery, keys that rotate, the device flow (RFC 8628), client credentials and refresh
(RFC 6749), introspection (RFC 7662) and revocation (RFC 7009). It runs in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import Key

from .tokens import AUDIENCE, new_key

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Device:
    """A login that somebody has begun on a device. asked_at: when it asked last."""

    user_code: str
    scope: str
    client_id: str
    interval: float
    ends: float
    approved_by: str = ""
    denied: bool = False
    asked_at: float = 0.0


@dataclass
class Issued:
    """A token as the provider knows it."""

    claims: Mapping[str, Any]
    active: bool = True


@dataclass
class OidcProvider:
    """`clients` are its confidential clients with their secrets; "cli" is a public one. `roles`: of its users and clients.

    opaque: whether access tokens are texts that only the provider can read. interval, device_seconds: of the device flow.
    token_seconds: how long tokens live. asked: how often each of its paths was asked.
    """

    clients: dict[str, str] = field(default_factory=lambda: {"server": "s%rver secret", "robot": "r0bot"})
    roles: dict[str, list[str]] = field(default_factory=dict)
    opaque: bool = False
    interval: float = 0.05
    device_seconds: float = 60.0
    token_seconds: float = 600.0
    asked: Counter[str] = field(default_factory=Counter)
    named: str = ""
    """What it says that its name is, when that is not its address."""
    silent: bool = False
    """Whether it answers with errors only."""

    def __post_init__(self) -> None:
        self.key: Key = new_key("ES256", "key 1")
        self.keys: list[Key] = [self.key]
        self.devices: dict[str, Device] = {}
        self.issued: dict[str, Issued] = {}
        self.refreshing: dict[str, tuple[str, str, str]] = {}
        """Refresh token -> user, client, scope; each may be used once."""
        self.answer: Callable[[dict[str, Any]], Any] = lambda found: found
        """What becomes of an answer about a token before it goes out."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def rotate(self, *, forget: bool = False) -> None:
        """Sign with a new key from now on. forget: publish the new one alone."""
        self.key = new_key("ES256", f"key {len(self.keys) + 1}")
        self.keys = [self.key] if forget else [*self.keys, self.key]

    def token(self, subject: str, **claims: Any) -> str:
        """An access token."""
        now = time.time()
        whole = {
            "iss": self.issuer,
            "sub": subject,
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now + self.token_seconds),
            "jti": secrets.token_hex(8),
            "roles": self.roles.get(subject, []),
            **claims,
        }
        whole = {name: value for name, value in whole.items() if value is not None}
        if self.opaque:
            text = secrets.token_urlsafe(24)
        else:
            text = jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": "at+jwt"}, whole, self.key)
        self.issued[text] = Issued(whole)
        return text

    def approve(self, user_code: str, user: str) -> None:
        """The user has entered the code and agreed."""
        self._device(user_code).approved_by = user

    def deny(self, user_code: str) -> None:
        self._device(user_code).denied = True

    def revoke(self, token: str) -> None:
        self.issued[token].active = False

    def _device(self, user_code: str) -> Device:
        return next(device for device in self.devices.values() if device.user_code == user_code)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _start(self) -> web.AppRunner:
        app = web.Application(middlewares=[self._count])
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/keys", self._keys),
                web.post("/device", self._begin),
                web.post("/token", self._token),
                web.post("/introspect", self._introspect),
                web.post("/revoke", self._revoke),
            ]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port: int = runner.addresses[0][1]
        return runner

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path] += 1
        if self.silent:
            return web.Response(status=503)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.named or self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint": f"{self.issuer}/token",
                "device_authorization_endpoint": f"{self.issuer}/device",
                "introspection_endpoint": f"{self.issuer}/introspect",
                "revocation_endpoint": f"{self.issuer}/revoke",
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def _begin(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("client_id") != "cli":
            return _error("invalid_client", 401)
        code, user_code = secrets.token_urlsafe(16), secrets.token_hex(4).upper()
        self.devices[code] = Device(
            user_code, str(form.get("scope", "")), "cli", self.interval, time.time() + self.device_seconds
        )
        return web.json_response(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": f"{self.issuer}/activate",
                "verification_uri_complete": f"{self.issuer}/activate?code={user_code}",
                "expires_in": self.device_seconds,
                "interval": self.interval,
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        match form.get("grant_type"):
            case "client_credentials":
                client = self._client(request, form)
                if client is None:
                    return _error("invalid_client", 401)
                return self._grant(
                    client, client, form.get("scope", ""), refresh=False, audience=form.get("audience")
                )
            case "refresh_token":
                known = self.refreshing.pop(form.get("refresh_token", ""), None)
                if known is None:
                    return _error("invalid_grant", 400)
                return self._grant(*known, refresh=True)
            case kind if kind == DEVICE:
                return self._poll(form.get("device_code", ""))
        return _error("unsupported_grant_type", 400)

    def _poll(self, code: str) -> web.Response:
        device, now = self.devices.get(code), time.time()
        if device is None or now > device.ends:
            return _error("expired_token", 400)
        early = now - device.asked_at < device.interval * 0.9
        device.asked_at = now
        if early:
            device.interval += 0.05
            return _error("slow_down", 400)
        if device.denied:
            return _error("access_denied", 400)
        if not device.approved_by:
            return _error("authorization_pending", 400)
        del self.devices[code]
        return self._grant(device.approved_by, device.client_id, device.scope, refresh=True)

    def _grant(
        self, subject: str, client: str, scope: str, *, refresh: bool, audience: str | None = None
    ) -> web.Response:
        found: dict[str, Any] = {
            "access_token": self.token(subject, scope=scope, **({"aud": audience} if audience else {})),
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
        }
        if refresh:
            found["refresh_token"] = secrets.token_urlsafe(24)
            self.refreshing[found["refresh_token"]] = (subject, client, scope)
        return web.json_response(found)

    async def _introspect(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self._client(request, form) is None:
            return _error("invalid_client", 401)
        known = self.issued.get(form.get("token", ""))
        if known is None or not known.active or known.claims.get("exp", 1e12) < time.time():
            return web.json_response(self.answer({"active": False}))
        return web.Response(
            text=json.dumps(self.answer({"active": True, "token_type": "Bearer", **known.claims})),
            content_type="application/json",
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = str(form.get("token", ""))
        self.refreshing.pop(token, None)
        if token in self.issued:
            self.issued[token].active = False
        return web.Response()

    def _client(self, request: web.Request, form: Mapping[str, str]) -> str | None:
        """The confidential client that has shown its secret, in the header or in the form (RFC 6749 2.3.1)."""
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = (unquote_plus(part) for part in b64decode(shown).decode().partition(":"))
        return name if name in self.clients and self.clients[name] == secret else None


def _error(code: str, status: int) -> web.Response:
    return web.json_response({"error": code}, status=status)
