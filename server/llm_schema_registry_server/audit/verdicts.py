"""A verdict of a compatibility check as a text that is signed, so that it can be verified where there is no registry. Pure.

The note's text has two lines: `llm-schema-registry/REGISTRY/verdict`, and the verdict as JSON in its canonical form (RFC 8785).
docs/audit.md says what the signature claims.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from llm_schema_engines.model.compatibility import CompatibilityReport, Violation
from llm_schema_engines.model.schema import Fingerprints, SchemaType

from ..model.audit import canonical
from ..model.schema import ResolvedReference, SchemaVersion
from .notes import Signer, origin_of

FORMAT = 1
MOST_VIOLATIONS = 50
MOST_WITNESS = 1024
"""Bytes of a witness that stand in the verdict; of a longer one only its digest does."""
MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Examined:
    """What a verdict is about: the new schema, the versions that it was compared with, and the report."""

    subject: str
    schema_type: SchemaType
    fingerprints: Fingerprints
    references: Sequence[ResolvedReference]
    compared: Sequence[SchemaVersion]
    report: CompatibilityReport


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges. engine: the version of the engines; rules: the digest of their source, which is what the rules are."""

    registry_id: str
    engine: str
    rules: str


def verdict_text(examined: Examined, judge: Judge, at: datetime) -> str:
    """The text that is signed."""
    report = examined.report
    shown = report.violations[:MOST_VIOLATIONS]
    members = {
        "v": FORMAT,
        "registry": judge.registry_id,
        "engine": judge.engine,
        "rules": judge.rules,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "subject": examined.subject,
        "new": {
            "schema_type": examined.schema_type.name,
            **_fingerprints(examined.fingerprints),
            "references": [
                {
                    "name": r.name,
                    "schema_id": r.schema_id,
                    "subject": str(r.subject),
                    "version": str(r.version),
                }
                for r in examined.references
            ],
        },
        "compared": [
            {"version": str(v.version), "schema_id": v.schema_id, **_fingerprints(v.fingerprints)}
            for v in examined.compared
        ],
        "level": report.level.name,
        "compatible": report.compatible,
        "verdict": report.verdict.name,
        "change_class": report.change_class.name,
        "assumptions": dict(report.options.assumptions),
        "violations": [_violation(v) for v in shown],
        "more_violations": len(report.violations) - len(shown),
    }
    return f"{origin_of(judge.registry_id, 'verdict')}\n{canonical(members)}\n"


def sign_verdict(examined: Examined, judge: Judge, at: datetime, signer: Signer) -> str:
    """The signed note."""
    return signer.signed(verdict_text(examined, judge, at))


def _fingerprints(found: Fingerprints) -> dict[str, str]:
    return {"content": found.content, "generation": found.generation, "validation": found.validation}


def _violation(violation: Violation) -> dict[str, object]:
    found: dict[str, object] = {
        "rule": violation.rule,
        "path": _text(violation.path),
        "severity": violation.severity.name,
        "direction": "" if violation.direction is None else violation.direction.name,
        "compared_version": violation.compared_version,
        "undecided": violation.undecided,
    }
    if violation.witness is not None:
        data = violation.witness.data
        found["witness_sha256"] = sha256(data).hexdigest()
        if len(data) <= MOST_WITNESS:
            found["witness"] = base64.b64encode(data).decode()
    return found


def _text(text: str) -> str:
    """Cut, and without halves of surrogate pairs."""
    return text[:MOST_TEXT].encode("utf-8", "backslashreplace").decode()
