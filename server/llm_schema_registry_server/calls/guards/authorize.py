"""Whether the principal may make this call: its permissions must hold the one that the operation declares."""

from __future__ import annotations

from ...errors import PermissionDenied, Unauthenticated
from ..call import Call
from ..guard import QUICK, Guard, Rank
from ..operation import NO_PERMISSION


class Authorize:
    """Refuses calls without the permission; an operation that declares `none` is open."""

    rank, on_cached = Rank.AUTHORIZE, QUICK

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
    """Raises PermissionDenied when the call's principal lacks what its operation declares; Unauthenticated when it is nobody."""
    needed = call.operation.permission
    if needed != NO_PERMISSION and needed not in call.principal.permissions:
        if call.principal.anonymous:
            raise Unauthenticated(
                f"{call.operation.name} needs credentials; send `authorization: Bearer TOKEN`",
                permission=needed,
            )
        raise PermissionDenied(
            f"{call.operation.name} needs permission {needed!r}, which {call.principal.name!r} does not have",
            permission=needed,
            principal=call.principal.name,
        )
