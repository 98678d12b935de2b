"""Tokens from a provider of OAuth 2.0: what it publishes (OpenID Connect Discovery 1.0), the device flow (RFC 8628), client credentials
and refresh (RFC 6749 4.4, 6), revocation (RFC 7009). Everything over https; redirections are not followed."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_USUAL_INTERVAL, _LONGEST_INTERVAL = 5.0, 60.0
"""Seconds between two questions of the device flow (RFC 8628 3.2, 3.5)."""
_SLOWER = 5.0
_LONGEST_FLOW = 1800.0


class LoginFailed(ValueError):
    """There is no token; the message says why, and never what was secret."""


class ProviderError(LoginFailed):
    """The provider answered with an error of OAuth (RFC 6749 5.2); `error` is its code."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"the provider refuses: {error}{f' ({description})' if description else ''}")
        self.error = error


@dataclass(frozen=True, slots=True)
class Client:
    """This program, as the provider knows it. A public client has no secret."""

    client_id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider has issued. expires_at: seconds since 1970; None when it did not say."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class DevicePrompt:
    """What a person is to do: open `address`, and enter `code` there."""

    address: str
    code: str
    complete_address: str


class Provider:
    """A provider that was found by its address. Raises LoginFailed."""

    def __init__(self, issuer: str) -> None:
        _demand_https(issuer, "the issuer")
        document = _answer(Request(issuer.rstrip("/") + "/.well-known/openid-configuration"))
        if document.get("issuer") != issuer:
            raise LoginFailed(
                f"the provider at {issuer} says that it is {str(document.get('issuer'))[:200]!r}; give the issuer as it names itself"
            )
        self._document = document

    def device(
        self,
        client: Client,
        scope: str,
        audience: str,
        show: Callable[[DevicePrompt], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> Tokens:
        """Tokens for a person who agrees on another device, of which `show` tells."""
        began = self._post("device_authorization_endpoint", {"scope": scope, "audience": audience}, client)
        code, user_code, address = (
            _text(began, name) for name in ("device_code", "user_code", "verification_uri")
        )
        show(DevicePrompt(address, user_code, str(began.get("verification_uri_complete") or "")))
        ends = time.monotonic() + min(_LONGEST_FLOW, _number(began, "expires_in") or _LONGEST_FLOW)
        interval = _number(began, "interval")
        interval = _USUAL_INTERVAL if interval is None else min(max(interval, 0.01), _LONGEST_INTERVAL)
        while time.monotonic() < ends:
            sleep(interval)
            try:
                return self._tokens({"grant_type": DEVICE_GRANT, "device_code": code}, client)
            except ProviderError as error:
                if error.error == "slow_down":
                    interval += _SLOWER
                elif error.error != "authorization_pending":
                    raise
        raise LoginFailed("nobody has agreed in time; begin again")

    def client_credentials(self, client: Client, scope: str, audience: str) -> Tokens:
        """Tokens for a program."""
        return self._tokens(
            {"grant_type": "client_credentials", "scope": scope, "audience": audience}, client
        )

    def refresh(self, client: Client, token: str) -> Tokens:
        """New tokens for an old refresh token, which counts no more where the provider gives a new one."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": token}, client, refresh=token)

    def revoke(self, client: Client, token: str) -> bool:
        """Let a token count no more; False where the provider has no such call."""
        if "revocation_endpoint" not in self._document:
            return False
        self._post("revocation_endpoint", {"token": token}, client, empty=True)
        return True

    def _tokens(self, form: Mapping[str, str], client: Client, refresh: str | None = None) -> Tokens:
        found = self._post("token_endpoint", form, client)
        access = _text(found, "access_token")
        if (
            not (access.isascii() and access.isprintable())
            or str(found.get("token_type", "")).lower() != "bearer"
        ):
            raise LoginFailed("the provider has issued something else than a bearer token")
        given = found.get("refresh_token")
        lives = _number(found, "expires_in")
        return Tokens(
            access,
            given if isinstance(given, str) and given else refresh,
            None if lives is None else time.time() + lives,
        )

    def _post(
        self, name: str, form: Mapping[str, str], client: Client, *, empty: bool = False
    ) -> Mapping[str, Any]:
        address = self._document.get(name)
        if not isinstance(address, str):
            raise LoginFailed(f"the provider publishes no `{name}`")
        _demand_https(address, f"its `{name}`")
        fields = {key: value for key, value in form.items() if value}
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if client.secret is None:
            fields["client_id"] = client.client_id
        else:  # RFC 6749 2.3.1
            shown = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
            headers["authorization"] = "Basic " + b64encode(shown.encode()).decode()
        return _answer(Request(address, urlencode(fields).encode(), headers), empty=empty)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = build_opener(_NoRedirect())


def _answer(request: Request, *, empty: bool = False) -> Mapping[str, Any]:
    """The object of an answer. Raises ProviderError, LoginFailed."""
    host = urlsplit(request.full_url).hostname
    try:
        with _OPENER.open(request, timeout=_SECONDS) as answer:
            body = answer.read(_MOST_BYTES)
    except HTTPError as error:
        with error:
            found = _object(error.read(_MOST_BYTES))
        if isinstance(found.get("error"), str):
            raise ProviderError(_shown(found["error"]), _shown(found.get("error_description"))) from None
        raise LoginFailed(f"{host} answered {error.code}") from None
    except (URLError, TimeoutError, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise LoginFailed(f"{host} cannot be reached: {why}") from error
    if empty:
        return {}
    found = _object(body)
    if not found:
        raise LoginFailed(f"{host} answered something else than a JSON object")
    return found


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(text: object) -> str:
    """A text of the provider for a terminal."""
    return "".join(c for c in text[:200] if c.isprintable()) if isinstance(text, str) else ""


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise LoginFailed(f"the answer of the provider has no `{name}`")
    return value


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        return None
    return float(value)


def _demand_https(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise LoginFailed(f"{what} must start with https:// (http:// is taken for loopback only)")
