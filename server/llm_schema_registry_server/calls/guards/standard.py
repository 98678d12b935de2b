"""The guards of a server, in the order in which a call enters them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from ...telemetry.metrics import Metrics
from ..guard import GuardFactory
from .audit import Audit
from .authenticate import Authenticate, Authenticator, Certificates
from .authorize import Authorize, Changing
from .deadline import Deadline
from .limits import Limits
from .min_revision import MinRevision
from .observe import AccessLog, Observe
from .queueing import Queueing
from .rate_limits import RateLimits
from .trace import Trace


def standard_guards(
    metrics: Metrics,
    *,
    answered: Iterable[tuple[str, str]],
    default_deadline_seconds: float,
    limits: Limits,
    authenticator: Authenticator,
    rates: RateLimits | None = None,
    grants: Changing | None = None,
    reach: Callable[[str], Awaitable[None]],
    access: AccessLog | None = None,
    trace: Trace | None = None,
    audit: Audit | None = None,
    certificates: Certificates | None = None,
) -> tuple[GuardFactory, ...]:
    """The one list of guards. Its order is checked when the pipeline is made (calls/guard.py, Rank).

    `answered`: see Observe. `rates`: None where nothing is limited. `grants`: what decides streams anew when it changes. `reach` waits
    until this instance has seen a revision. audit: None records nothing. trace: None where nothing is traced.
    """
    return (
        *(() if trace is None else (trace,)),
        Observe(metrics, answered, access),
        *((audit,) if audit is not None else ()),
        Deadline(default_deadline_seconds),
        limits,
        Authenticate(authenticator, certificates, rates),
        Queueing(),
        *((rates,) if rates is not None else ()),
        Authorize(grants),
        MinRevision(reach),
    )
