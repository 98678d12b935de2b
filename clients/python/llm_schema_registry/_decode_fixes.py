"""From the messages of FixService to frozen values."""

from __future__ import annotations

from .enums import CompatibilityLevel, FixKind
from .results import Fix, FixEdit, FixProof, FoundFixes
from .v1 import fixes_pb2


def found_fixes(m: fixes_pb2.FindFixesResponse) -> FoundFixes:
    return FoundFixes(
        fixes=tuple(_fix(fix) for fix in m.fixes),
        compatible=m.compatible,
        level=CompatibilityLevel(m.level),
        compared_versions=tuple(m.compared_versions),
        tried=m.tried,
        complete=m.complete,
        reason=m.reason,
    )


def _fix(m: fixes_pb2.Fix) -> Fix:
    return Fix(
        edits=tuple(FixEdit(FixKind(e.kind), e.place, e.cost) for e in m.edits),
        content=m.schema_content,
        patch=m.patch,
        takes_back=m.takes_back,
        message=m.message,
        proofs=tuple(FixProof(p.version, p.direction) for p in m.proofs),
    )
