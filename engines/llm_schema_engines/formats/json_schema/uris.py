"""URI references, resolved as RFC 3986 section 5.2 says, for every scheme. Pure.

urllib.parse.urljoin knows only its own list of schemes; `urn:` and private ones are common in `$id`. What is resolved is
normalised as section 6.2 says, because the validator does so: `HTTP://Example.com:80/%61` is `http://example.com/a`. Two
schemas under these URIs are two schemas with one identifier.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re

DEFAULT_BASE = "json-schema:///"
"""The base of a document that has no URI of its own."""

_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)

_AUTHORITY = re.compile(r"(?:(.*)@)?(\[.*\]|.*?)(?::([0-9]*))?", re.DOTALL)
_PLAIN_AUTHORITY = re.compile(r"[a-z0-9._~-]*")
"""Authorities that are normalised as they stand."""
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS = (
    "aaa:3868 aaas:5658 acap:674 coap:5683 coaps:5684 dict:2628 dns:53 ftp:21 gopher:70 http:80 https:443 ipp:631 ipps:631 "
    "ldap:389 ldaps:636 mtqp:1038 mupdate:3905 nfs:2049 nntp:119 rtsp:554 rtsps:322 rtspu:554 sftp:22 snmp:161 ssh:22 "
    "stun:3478 stuns:5349 telnet:23 tip:3372 turn:3478 turns:5349 vnc:5900 ws:80 wss:443"
)
_DEFAULT_PORTS = frozenset(_PORTS.split())
"""Schemes with the port that says nothing. One too many refuses a schema; one too few lets two schemas have one identifier."""


def resolve_uri(base: str, reference: str) -> str:
    """The absolute URI that `reference` means when it stands in a document at `base`, normalised but for its fragment."""
    scheme, authority, path, query, fragment = _split(reference)
    if scheme is not None:
        return _join(scheme, authority, _without_dots(path), query, fragment)
    b_scheme, b_authority, b_path, b_query, _ = _split(base)
    if authority is not None:
        return _join(b_scheme, authority, _without_dots(path), query, fragment)
    if not path:
        return _join(b_scheme, b_authority, b_path, b_query if query is None else query, fragment)
    if not path.startswith("/"):
        if b_authority is not None and not b_path:
            path = "/" + path
        else:
            path = b_path[: b_path.rfind("/") + 1] + path
    return _join(b_scheme, b_authority, _without_dots(path), query, fragment)


def split_fragment(uri: str) -> tuple[str, str]:
    """The URI without its fragment, and the fragment ("" when there is none)."""
    body, _, fragment = uri.partition("#")
    return body, fragment


def _split(uri: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    match = _PARTS.fullmatch(uri)
    assert match is not None, "the expression matches every text"
    scheme, authority, path, query, fragment = match.groups()
    return scheme, authority, path, query, fragment


def _join(
    scheme: str | None, authority: str | None, path: str, query: str | None, fragment: str | None
) -> str:
    scheme = scheme and scheme.lower()
    out = f"{scheme}:" if scheme is not None else ""
    if authority is not None:
        out += f"//{_normal_authority(scheme, authority)}"
    elif path.startswith("//"):
        out += "/."  # RFC 3986 section 3.3: else the path would be read as an authority
    out += path
    if query is not None:
        out += f"?{_normal_escapes(query)}"
    if fragment:
        out += f"#{fragment}"
    return out


def _normal_authority(scheme: str | None, authority: str) -> str:
    if _PLAIN_AUTHORITY.fullmatch(authority):
        return authority
    match = _AUTHORITY.fullmatch(authority)
    assert match is not None, "the expression matches every text"
    user, host, port = match.groups()
    host = _normal_escapes(host).lower()
    if host.startswith("["):
        with contextlib.suppress(
            ValueError
        ):  # an address of a later version, or none: it stays as it is written
            host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
    out = "" if user is None else f"{_normal_escapes(user)}@"
    if port and f"{scheme}:{port.lstrip('0')}" not in _DEFAULT_PORTS:
        host += f":{port}"
    return out + host


def _normal_escapes(text: str) -> str:
    """Escapes in capital letters, and none for what needs no escape."""
    return _ESCAPE.sub(_normal_escape, text) if "%" in text else text


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _without_dots(path: str) -> str:
    path = _normal_escapes(path)
    if "." not in path or not path.startswith("/"):
        return path
    out: list[str] = []
    parts = path.split("/")
    for part in parts[1:]:
        if part == "..":
            if out:
                out.pop()
        elif part != ".":
            out.append(part)
    if parts[-1] in (".", ".."):
        out.append("")
    return "/" + "/".join(out)
