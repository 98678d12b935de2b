"""Requests to issuers of tokens: over https, without redirections, bounded in time and size."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SECONDS = 5.0


class Fault(Exception):
    """There was no answer that can be used; the text names the host, and neither address nor contents."""


def demand_https(url: str) -> None:
    """Raises ValueError for an address that is not https, but for loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise ValueError("must start with https:// (http:// is taken for loopback only)")


async def fetch(
    url: str, most: int, *, form: Mapping[str, str] | None = None, client: tuple[str, str] | None = None
) -> bytes:
    """At most `most` bytes of the answer to a GET, or with `form` to a POST of it. client: user and password. Raises Fault."""
    host = urlsplit(url).hostname
    headers = {"accept": "application/json"}
    if client is not None:
        headers["authorization"] = "Basic " + b64encode(":".join(client).encode()).decode()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            if answer.status != 200:
                raise Fault(f"{host} answered {answer.status}")
            return await _at_most(answer.content, most)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Fault(f"{host} cannot be reached: {type(error).__name__}") from error


async def _at_most(content: aiohttp.StreamReader, most: int) -> bytes:
    found = bytearray()
    while len(found) < most and (part := await content.read(most - len(found))):
        found += part
    return bytes(found)
