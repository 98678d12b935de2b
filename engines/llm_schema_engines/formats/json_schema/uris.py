"""URI references, resolved as RFC 3986 section 5.2 says, for every scheme. Pure.

urllib.parse.urljoin knows only its own list of schemes; `urn:` and private ones are common in `$id`.
"""

from __future__ import annotations

import re

DEFAULT_BASE = "json-schema:///"
"""The base of a document that has no URI of its own."""

_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)


def resolve_uri(base: str, reference: str) -> str:
    """The absolute URI that `reference` means when it stands in a document at `base`."""
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
    out = f"{scheme}:" if scheme is not None else ""
    if authority is not None:
        out += f"//{authority}"
    out += path
    if query is not None:
        out += f"?{query}"
    if fragment:
        out += f"#{fragment}"
    return out


def _without_dots(path: str) -> str:
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
