"""The lint policy lets nothing in that the rules could not look at, and asks for no rule whose outcome does not decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.linter.registering import ALL, ERRORS
from llm_schema_engines.model.compatibility import Severity
from llm_schema_engines.model.lint import LintFinding, LintReport
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_registry_server.errors import InternalError, LintRefused
from llm_schema_registry_server.model.config import LintPolicy
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.library import KnownSchema, Library
from llm_schema_registry_server.registry.linting import admit_lint
from llm_schema_registry_server.workers.task import FailureKind, TaskFailure
from llm_schema_registry_server.workers.tasks import Lint

ERROR = LintFinding("json/empty-range", Severity.ERROR, "nothing is valid", "/a")
WARNING = LintFinding("json/misspelled-keyword", Severity.WARNING, "is meant?", "/b")
INFO = LintFinding("json/missing-dialect", Severity.INFO, "is assumed")
SUBJECT = Subject.parse("s")
SCHEMA = KnownSchema(SchemaType.JSON, "i", SchemaSource(b"{}"))
PARSED = ParsedSchema(SchemaType.JSON, b"{}", Fingerprints("", "", ""), lint=LintReport((WARNING,)))


@dataclass
class Linting:
    """A library whose lint report is known."""

    report: LintReport
    asked: list[frozenset[str]] = field(default_factory=list)

    async def lint(self, schema: KnownSchema, parsed: ParsedSchema, rules: frozenset[str]) -> LintReport:
        self.asked.append(rules)
        return self.report


async def admit(linting: Linting, policy: LintPolicy) -> LintReport:
    return await admit_lint(cast(Library, linting), SUBJECT, SCHEMA, PARSED, policy)


@pytest.mark.parametrize(
    ("policy", "rules", "passes", "refused"),
    [
        (LintPolicy.REFUSE_ERRORS, ERRORS, [INFO, WARNING], [ERROR]),
        (LintPolicy.REFUSE_WARNINGS, ALL, [INFO], [ERROR, WARNING]),
    ],
)
async def test_a_policy_refuses_what_it_is_named_after(
    policy: LintPolicy, rules: frozenset[str], passes: list[LintFinding], refused: list[LintFinding]
) -> None:
    for finding in passes:
        linting = Linting(LintReport((finding,)))
        assert await admit(linting, policy) == PARSED.lint
        assert linting.asked == [rules]
    with pytest.raises(LintRefused) as caught:
        await admit(Linting(LintReport((ERROR, WARNING, INFO))), policy)
    assert list(caught.value.report.findings) == refused
    assert caught.value.metadata["findings"] == str(len(refused))


@pytest.mark.parametrize("policy", [LintPolicy.REFUSE_ERRORS, LintPolicy.REFUSE_WARNINGS])
async def test_what_could_not_be_looked_at_is_refused(policy: LintPolicy) -> None:
    with pytest.raises(LintRefused, match="could not look at all of it"):
        await admit(Linting(LintReport(incomplete=True)), policy)


@pytest.mark.parametrize(("policy", "told"), [(LintPolicy.OFF, LintReport()), (LintPolicy.WARN, PARSED.lint)])
async def test_other_policies_look_at_nothing_again(policy: LintPolicy, told: LintReport) -> None:
    linting = Linting(LintReport((ERROR,)))

    assert await admit(linting, policy) == told
    assert not linting.asked


def test_a_lint_that_takes_too_long_is_no_clean_report() -> None:
    task = Lint(SchemaType.JSON, SCHEMA.source, (), ALL)

    for kind in (FailureKind.TIMED_OUT, FailureKind.OUT_OF_MEMORY):
        assert task.failed(TaskFailure(kind, "takes too long")) == LintReport(incomplete=True)
    with pytest.raises(InternalError):
        task.failed(TaskFailure(FailureKind.CRASHED, "was ended by SIGSEGV"))
