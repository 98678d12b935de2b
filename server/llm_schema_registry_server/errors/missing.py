"""Failures because a thing is not there."""

from __future__ import annotations

from llm_schema_engines.errors import Code, RegistryError


class SubjectNotFound(RegistryError):
    """The subject has no live version."""

    code = Code.NOT_FOUND
    reason = "SUBJECT_NOT_FOUND"

    def __init__(self, subject: str) -> None:
        super().__init__(f"subject {subject!r} not found", subject=subject)


class SchemaNotFound(RegistryError):
    """No version has this schema id, or it was removed for ever."""

    code = Code.NOT_FOUND
    reason = "SCHEMA_NOT_FOUND"

    def __init__(self, schema_id: str) -> None:
        super().__init__(f"schema {schema_id!r} not found", schema_id=schema_id)


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


class ConfigNotFound(RegistryError):
    """Nothing is configured for the scope, so there is nothing to remove."""

    code = Code.NOT_FOUND
    reason = "CONFIG_NOT_FOUND"

    def __init__(self, scope: str) -> None:
        super().__init__(f"nothing is configured for {scope}", scope=scope)
