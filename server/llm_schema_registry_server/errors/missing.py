"""Failures because a thing is not there."""

from __future__ import annotations

from collections.abc import Sequence

from llm_schema_engines.errors import Code, RegistryError


def way_to_undelete(schema_id: str) -> str:
    """How to bring a softly deleted version back, for error messages."""
    return f"undelete it with UndeleteSchema or `schema-registry undelete {schema_id}`"


class SubjectNotFound(RegistryError):
    """The subject has no live version."""

    code = Code.NOT_FOUND
    reason = "SUBJECT_NOT_FOUND"

    def __init__(self, subject: str, *, deleted: int = 0) -> None:
        """deleted: how many softly deleted versions it has."""
        hint = (
            f"; it has softly deleted versions ({deleted}): list them with include_deleted and undelete those that you need "
            "with UndeleteSchema or `schema-registry undelete SUBJECT@VERSION`"
        )
        super().__init__(f"subject {subject!r} not found{hint if deleted else ''}", subject=subject)


class SchemaNotFound(RegistryError):
    """No version has this schema id, or it was removed for ever; or it is softly deleted and the call needs a live one."""

    code = Code.NOT_FOUND
    reason = "SCHEMA_NOT_FOUND"

    def __init__(self, schema_id: str, *, deleted: bool = False, no_id: bool = False) -> None:
        """deleted: whether it is softly deleted. no_id: whether it is no id at all, as a subject's name is not."""
        what = f"is softly deleted; {way_to_undelete(schema_id)}" if deleted else "not found"
        if no_id:
            what += (
                ": that is no schema id, which is a UUID; by its subject a schema is read with GetLatestVersion or GetSchemaByVersion, "
                "and data is validated with the field `subject`"
            )
        super().__init__(f"schema {schema_id!r} {what}", schema_id=schema_id)


class VersionNotFound(RegistryError):
    """The selector chooses none of the subject's live versions."""

    code = Code.NOT_FOUND
    reason = "VERSION_NOT_FOUND"

    def __init__(self, subject: str, selector: str, hint: str = "") -> None:
        super().__init__(
            f"no version {selector!r} of subject {subject!r}{'; ' + hint if hint else ''}",
            subject=subject,
            version=selector,
        )


class ProfileNotFound(RegistryError):
    """There is no profile of a provider with this id."""

    code = Code.NOT_FOUND
    reason = "PROFILE_NOT_FOUND"

    def __init__(self, profile: str, known: Sequence[str] = ()) -> None:
        """known: ids of those that there are."""
        there = f"; there are {', '.join(known)}" if known else ""
        super().__init__(f"there is no profile {profile[:80]!r}{there}", profile=profile[:80])


class GrantNotFound(RegistryError):
    """Nobody has given this role on this scope to the holder, but perhaps the settings."""

    code = Code.NOT_FOUND
    reason = "GRANT_NOT_FOUND"

    def __init__(self, holder: str, role: str, scope: str) -> None:
        super().__init__(
            f"no grant of role {role!r} on {scope!r} to {holder!r} is managed by calls",
            holder=holder,
            role=role,
            scope=scope,
        )


class ApiKeyNotFound(RegistryError):
    """No API key has this id."""

    code = Code.NOT_FOUND
    reason = "API_KEY_NOT_FOUND"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"API key {key_id[:100]!r} not found; ListApiKeys shows the ids", key_id=key_id[:100]
        )


class ConfigNotFound(RegistryError):
    """Nothing is configured for the scope, so there is nothing to remove."""

    code = Code.NOT_FOUND
    reason = "CONFIG_NOT_FOUND"

    def __init__(self, scope: str) -> None:
        super().__init__(f"nothing is configured for {scope}", scope=scope)
