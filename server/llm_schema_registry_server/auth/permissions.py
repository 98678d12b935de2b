"""What a principal may do: the permissions, and the roles that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PERMISSIONS = frozenset(
    {
        "schema:read",
        "schema:write",
        "schema:delete",
        "schema:validate",
        "subject:read",
        "subject:write",
        "subject:delete",
        "compatibility:check",
        "compatibility:config:read",
        "compatibility:config:write",
        "admin:access",
        "admin:users",
        "admin:config",
        "metrics:read",
    }
)
"""All of them. Each operation declares one (protos, option `policy`), or none when anyone may call it."""

ROLES: Mapping[str, frozenset[str]] = {
    "admin": PERMISSIONS,
    "developer": frozenset(
        {
            "schema:read",
            "schema:write",
            "schema:validate",
            "subject:read",
            "compatibility:check",
            "compatibility:config:read",
            "metrics:read",
        }
    ),
    "reader": frozenset({"schema:read", "schema:validate", "subject:read"}),
    "auditor": frozenset({"admin:access", "metrics:read"}),
    "service": frozenset({"schema:read", "schema:validate", "compatibility:check"}),
}
"""The roles that every server knows."""


class Roles:
    """All roles of a server: the built-in ones and its own. Raises ValueError for a role or permission that cannot be."""

    def __init__(self, own: Mapping[str, Iterable[str]] | None = None) -> None:
        self._permissions = dict(ROLES)
        for name, permissions in (own or {}).items():
            if name in ROLES:
                raise ValueError(f"role {name!r} is built in; give yours another name")
            held = frozenset(permissions)
            if unknown := held - PERMISSIONS:
                raise ValueError(
                    f"role {name!r}: no permission is called {', '.join(sorted(unknown))}; "
                    f"there are {', '.join(sorted(PERMISSIONS))}"
                )
            self._permissions[name] = held

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._permissions)

    def of(self, name: str) -> frozenset[str] | None:
        """The permissions of one role; None when there is none of this name."""
        return self._permissions.get(name)

    def permissions(self, names: Iterable[str]) -> frozenset[str]:
        """What these roles may do together. A name that is no role adds nothing: tokens carry roles of other systems too."""
        return frozenset().union(*(self._permissions.get(name, frozenset()) for name in names))
