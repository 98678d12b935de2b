"""What a registration tells of a schema itself, and what the lint policy of a subject refuses."""

from __future__ import annotations

from llm_schema_engines.formats.engine import ParsedSchema
from llm_schema_engines.linter.registering import ALL, ERRORS
from llm_schema_engines.model.compatibility import Severity
from llm_schema_engines.model.lint import NOTHING_FOUND, LintReport

from ..errors import LintRefused
from ..model.config import REFUSING, LintPolicy
from ..model.subject import Subject
from .library import KnownSchema, Library

_RULES = {Severity.ERROR: ERRORS, Severity.WARNING: ALL}


async def admit_lint(
    library: Library,
    subject: Subject,
    schema: KnownSchema,
    parsed: ParsedSchema,
    policy: LintPolicy,
    *,
    advice: str = "",
) -> LintReport:
    """What to tell about a schema that a policy lets in. Raises LintRefused, with every finding that the policy refuses, also
    where the rules could not look at everything. advice: said at the end of its message.

    A policy that does not refuse takes what was found while the schema was parsed: nothing is looked at again.
    """
    refused = REFUSING.get(policy)
    if refused is None:
        return told(parsed, policy)
    report = await library.lint(schema, parsed, _RULES[refused])
    found = report.from_severity(refused)
    if found.findings or found.incomplete:
        raise LintRefused(str(subject), policy.name, found, advice=advice)
    return told(parsed, policy)


def told(parsed: ParsedSchema, policy: LintPolicy) -> LintReport:
    """What is told of a schema that no policy refuses: nothing where the policy is OFF."""
    return NOTHING_FOUND if policy is LintPolicy.OFF else parsed.lint
