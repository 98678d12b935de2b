"""Whether the principal may make this call: its permissions must hold the one that the RPC declares."""

from __future__ import annotations

from ...errors import PermissionDenied
from ..call import NO_PERMISSION, Call
from ..guard import Guard


class Authorize:
    """Refuses calls without the permission; an RPC that declares `none` is open."""

    def __call__(self, call: Call) -> Guard:
        return _Authorized(call)

    def quick(self, call: Call) -> bool:
        """Decides at once. Raises PermissionDenied."""
        demand_permission(call)
        return True


class _Authorized(Guard):
    async def __aenter__(self) -> None:
        demand_permission(self.call)


def demand_permission(call: Call) -> None:
    """Raises PermissionDenied when the call's principal lacks what its method declares."""
    needed = call.method.permission
    if needed != NO_PERMISSION and needed not in call.principal.permissions:
        raise PermissionDenied(
            f"{call.method.name} needs permission {needed!r}, which {call.principal.name!r} does not have",
            permission=needed,
            principal=call.principal.name,
        )
