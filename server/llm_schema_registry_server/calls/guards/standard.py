"""The guards of a server, in the order in which a call enters them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from ...telemetry.metrics import Metrics
from ..guard import GuardFactory
from .authenticate import Authenticate, Authenticator
from .authorize import Authorize
from .deadline import Deadline
from .limits import Limits
from .min_revision import MinRevision
from .observe import Observe
from .queueing import Queueing


def standard_guards(
    metrics: Metrics,
    *,
    answered: Iterable[tuple[str, str]],
    default_deadline_seconds: float,
    limits: Limits,
    authenticator: Authenticator,
    reach: Callable[[str], Awaitable[None]],
) -> tuple[GuardFactory, ...]:
    """The one list of guards. Its order is checked when the pipeline is made (calls/guard.py, Rank).

    `answered`: see Observe. `reach` waits until this instance has seen a revision.
    """
    return (
        Observe(metrics, answered),
        Deadline(default_deadline_seconds),
        limits,
        Authenticate(authenticator),
        Queueing(),
        Authorize(),
        MinRevision(reach),
    )
