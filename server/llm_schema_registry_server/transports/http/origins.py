"""Keeps pages of other sites from asking in the name of who looks at them.

A browser shows the client certificate of its user to every page that asks a server, and reaches servers on the user's own machine. It
tells from which site the page is (Origin, RFC 6454 7; Fetch standard 3.2). What shows credentials in a header, no page can do by itself.

A page may also have the name of its own site lead to the user's machine (DNS rebinding). To the browser the answers are then of that site;
but it tells under which name it asks (Host, RFC 9110 7.2), and a page cannot choose another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import ip_address

from ...errors import PermissionDenied

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def demand_own_page(metadata: Mapping[str, str], allowed: Collection[str] = ()) -> None:
    """For what changes something, or opens a WebSocket. Raises PermissionDenied for a page of another origin than the one that is
    asked, or than those that are `allowed` (`https://ui.example`), unless it shows credentials in a header."""
    origin = metadata.get("origin")
    if origin is None or origin in allowed or _explicit(metadata):
        return
    scheme, separator, host = origin.partition("://")
    port = _DEFAULT_PORTS.get(scheme, "-")
    asked = metadata.get("host", "").removesuffix(port)
    if separator and asked and host.removesuffix(port) == asked:
        return
    raise PermissionDenied(
        "a page of another site asks, and shows no credentials of its own; pages of a site are let in by setting http.origins"
    )


def demand_own_name(metadata: Mapping[str, str], known: Collection[str] | None) -> None:
    """Raises PermissionDenied for a request to a server of a name that a stranger may have registered and that is not `known`. None: any
    name will do."""
    if known is None:
        return
    host = metadata.get("host", "")
    if _own(host) or _without_port(host) in known:
        return
    raise PermissionDenied(
        f"this server, which is open to its own machine, is not known as {host[:80]!r}; ask localhost, or add the name to the setting http.hosts"
    )


def _explicit(metadata: Mapping[str, str]) -> bool:
    """Whether there are credentials that no browser adds by itself, as it does with a name and a password that it knows."""
    shown = metadata.get("authorization")
    return "x-api-key" in metadata or (shown is not None and not shown[:6].lower().startswith("basic"))


@lru_cache(maxsize=1024)
def _own(host: str) -> bool:
    """Whether no stranger can have this name: an address, a name without a dot, or below one that nobody is given (RFC 6761 6.3;
    `internal` is reserved by ICANN, resolution 2024.07.29.06)."""
    name = _without_port(host)
    if "." not in name or name.endswith((".localhost", ".internal")):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).rstrip(".").lower()
