"""Failures because of the state that things are in: the call may succeed when it has changed."""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_engines.errors import Code, FieldViolation, RegistryError, clip
from llm_schema_engines.model.lint import LintReport

_SHOWN = 400
"""Characters of one finding in a message."""


class IncompatibleSchema(RegistryError):
    """Registration refused by the compatibility check; `report` is the CompatibilityReport that says why."""

    code = Code.FAILED_PRECONDITION
    reason = "INCOMPATIBLE_SCHEMA"

    def __init__(self, subject: str, level: str, summary: str, report: object) -> None:
        super().__init__(
            f"schema is not {level} compatible with subject {subject!r}: {summary}",
            subject=subject,
            level=level,
        )
        self.report = report


class LintRefused(RegistryError):
    """The subject's `lint` refuses what the lint rules found; `report` is the LintReport with all of it."""

    code = Code.FAILED_PRECONDITION
    reason = "LINT_REFUSED"

    def __init__(self, subject: str, policy: str, report: LintReport, *, advice: str = "") -> None:
        """report: with the findings that are refused, and no others. advice: said at the end."""
        found = report.findings
        what = "; ".join(clip(str(finding), _SHOWN) for finding in found[:3])
        if len(found) > 3:
            what += f"; and {'over ' if report.truncated else ''}{len(found) - 3} more"
        what = what or "the lint rules could not look at all of it within their limits: make it smaller"
        super().__init__(
            f"`lint` of subject {subject!r} is {policy}: {what}{advice}",
            subject=subject,
            lint=policy,
            findings=len(found),
        )
        self.report = report


class ProviderRefused(RegistryError):
    """The subject demands that schemas fit providers, and this one does not."""

    code = Code.FAILED_PRECONDITION
    reason = "PROVIDER_REFUSED"

    def __init__(
        self,
        subject: str,
        profile: str,
        fit: str,
        worst: str,
        why: str,
        *,
        pointer: str = "",
        rule: str = "",
        more: int = 0,
        advice: str = "",
    ) -> None:
        """fit: how the schema fits the profile; worst: what the subject still accepts. why: the gravest finding, in words; more: how
        many others there are. advice: said in place of the usual way out."""
        others = f" (and {more} more: CheckProfile tells them)" if more else ""
        way_out = advice or (
            "change the schema there, register what CompileForProvider makes of it, or relax `profiles` or `worst_fit` with SetConfig"
        )
        super().__init__(
            f"subject {subject!r} accepts no schema that fits {profile} worse than {worst}, and this one is {fit}: "
            f"{clip(why, _SHOWN)}{others}; {way_out}",
            subject=subject,
            profile=profile,
            fit=fit,
            worst_fit=worst,
            pointer=clip(pointer, _SHOWN) if pointer else None,
            rule=rule or None,
        )


class TransitionRefused(RegistryError):
    """The lifecycle has no transition from the version's state to the one asked for, or this call may not make it."""

    code = Code.FAILED_PRECONDITION
    reason = "TRANSITION_REFUSED"

    def __init__(
        self,
        schema_id: str,
        current: str,
        wanted: str,
        allowed: Sequence[str],
        *,
        advice: str = "",
        field: str = "state",
    ) -> None:
        """allowed: states that the version may become. advice: said instead of them. field: of the request."""
        way_out = advice or f"allowed: {', '.join(allowed) if allowed else 'nothing: it is a final state'}"
        super().__init__(
            f"schema {schema_id!r} is {current} and cannot become {wanted}; {way_out}",
            violations=(FieldViolation(field, f"{current} cannot become {wanted}"),),
            schema_id=schema_id,
            from_state=current,
            to_state=wanted,
        )


class LevelMismatch(RegistryError):
    """The caller may not change the subject's compatibility level and asked for another one."""

    code = Code.FAILED_PRECONDITION
    reason = "LEVEL_MISMATCH"

    def __init__(self, subject: str, wanted: str, current: str) -> None:
        super().__init__(
            f"subject {subject!r} has compatibility level {current}, not {wanted}; "
            "leave compatibility_level out or change it through ConfigService",
            violations=(FieldViolation("compatibility_level", f"the subject's level is {current}"),),
            subject=subject,
            current=current,
        )


class SubjectReadOnly(RegistryError):
    """The subject, its context or the registry is in mode READONLY."""

    code = Code.FAILED_PRECONDITION
    reason = "SUBJECT_READ_ONLY"

    def __init__(self, subject: str) -> None:
        super().__init__(f"subject {subject!r} is in mode READONLY and accepts no writes", subject=subject)


class SchemaTypeMismatch(RegistryError):
    """The subject holds schemas of another type."""

    code = Code.FAILED_PRECONDITION
    reason = "SCHEMA_TYPE_MISMATCH"

    def __init__(self, subject: str, wanted: str, current: str) -> None:
        super().__init__(
            f"subject {subject!r} holds {current} schemas; a {wanted} schema needs a subject of its own "
            "or compatibility level NONE",
            violations=(FieldViolation("schema_type", f"the subject holds {current} schemas"),),
            subject=subject,
            current=current,
        )


class HasDependents(RegistryError):
    """Other versions reference this one, live or softly deleted, so that it must stay."""

    code = Code.FAILED_PRECONDITION
    reason = "HAS_DEPENDENTS"

    def __init__(
        self,
        schema_id: str,
        dependents: Sequence[str],
        way_out: str = "delete those permanently first",
        *,
        hidden: int = 0,
    ) -> None:
        """hidden: how many more there are, which the caller may not read."""
        shown = ", ".join(dependents[:5]) + (", ..." if len(dependents) > 5 else "")
        if hidden:
            shown += f"{' and ' if shown else ''}{hidden} version(s) that you may not read"
        super().__init__(
            f"schema {schema_id!r} is referenced by {shown}; {way_out}",
            schema_id=schema_id,
            dependents=len(dependents) + hidden,
        )


class NotSoftDeleted(RegistryError):
    """A permanent delete needs a soft delete first."""

    code = Code.FAILED_PRECONDITION
    reason = "NOT_SOFT_DELETED"

    def __init__(self, schema_id: str) -> None:
        super().__init__(
            f"schema {schema_id!r} is live; delete it softly first (without `permanent`), then permanently",
            violations=(FieldViolation("permanent", "needs a soft delete first"),),
            schema_id=schema_id,
        )


class RevisionCompacted(RegistryError):
    """The changes after the revision are no longer kept; `oldest` says where to start again."""

    code = Code.OUT_OF_RANGE
    reason = "REVISION_COMPACTED"

    def __init__(self, revision: str, oldest: str) -> None:
        super().__init__(
            f"changes after revision {revision!r} are no longer kept; "
            f"read the current state and resume from {oldest!r}",
            revision=revision,
            oldest=oldest,
        )


class ApiKeyNameTaken(RegistryError):
    """Another API key has this name."""

    code = Code.ALREADY_EXISTS
    reason = "API_KEY_NAME_TAKEN"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an API key is called {name!r} already; rotate that one, or choose another name", name=name
        )


class ConcurrentUpdate(RegistryError):
    """Another writer was faster; the same call may be made again."""

    code = Code.ABORTED
    reason = "CONCURRENT_UPDATE"


class SubscriberTooSlow(RegistryError):
    """The client took nothing from a stream for too long, or left too much unread; `revision` says where a subscription resumes, None elsewhere."""

    code = Code.ABORTED
    reason = "SUBSCRIBER_TOO_SLOW"

    def __init__(self, seconds: float, revision: str | None, why: str = "") -> None:
        """why: said instead of the seconds in which the client took nothing."""
        place = f"from revision {revision!r}" if revision else "after the last message that arrived"
        what = why or f"the client took nothing from the stream for {seconds:g} s"
        super().__init__(
            f"{what}; read faster, and resume {place}",
            revision=revision,
        )
