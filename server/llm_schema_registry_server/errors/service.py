"""Failures of the service: too busy, away, or closed to the caller."""

from __future__ import annotations

from llm_schema_engines.errors import Code, RegistryError, Unavailable


class LimitExceeded(RegistryError):
    """Too much at the same time; try again with a back-off, after `retry_seconds` when it is given."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "LIMIT_EXCEEDED"
    retry_seconds: float | None = None

    def __init__(
        self,
        message: str,
        *,
        retry_seconds: float | None = None,
        inside: str = "",
        **metadata: str | int | None,
    ) -> None:
        super().__init__(message, inside=inside, violations=(), **metadata)
        self.retry_seconds = retry_seconds


class RateLimited(LimitExceeded):
    """The caller has used up what it may ask in a time; `retry_seconds` says when there is more."""

    reason = "RATE_LIMITED"


class QuotaExceeded(LimitExceeded):
    """The context would hold more than it may: subjects, versions or bytes."""

    reason = "QUOTA_EXCEEDED"

    def __init__(self, context: str, what: str, limit: int, used: int, wanted: int) -> None:
        """what: `subjects`, `versions` or `bytes`. used: before; wanted: how many more."""
        super().__init__(
            f"context {context!r} holds {used} of at most {limit} {what}, and this needs {wanted} more; delete some permanently, or have "
            f"the limit raised (max_{what} of the context's config)",
            context=context,
            what=what,
            limit=limit,
            used=used,
        )


class InternalError(RegistryError):
    """A fault of the server, such as a worker process that crashed; its log tells more under the request id."""

    code = Code.INTERNAL
    reason = "INTERNAL"


class DeadlineExceeded(RegistryError):
    """The call took longer than its deadline."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class PermissionDenied(RegistryError):
    """The caller lacks the permission that the call needs."""

    code = Code.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(RegistryError):
    """The caller could not be identified."""

    code = Code.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ShuttingDown(Unavailable):
    """The server is going; a stream resumes elsewhere from `revision`."""

    reason = "SHUTTING_DOWN"

    def __init__(self, revision: str | None = None) -> None:
        super().__init__(
            "the server is shutting down" + (f"; resume from revision {revision!r}" if revision else ""),
            revision=revision,
        )


class StorageUnavailable(Unavailable):
    """The storage cannot be reached; the message names it and the way out."""

    reason = "STORAGE_UNAVAILABLE"


class StorageDamaged(RegistryError):
    """What is stored is missing or was altered; restore it from a backup."""

    code = Code.DATA_LOSS
    reason = "STORAGE_DAMAGED"
