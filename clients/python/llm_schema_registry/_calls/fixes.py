"""Calls about fixes of refused changes. Nothing is stored.

Common to all: `timeout` is in seconds and overrides the client's; enumerations may be given by name; failures raise
the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .. import _decode_fixes
from .._arguments import selector
from .._call import FIXES, Unary, unary
from .._checked import checked
from .._encode import Content, Reference, content_bytes, number, reference_messages
from ..enums import CompatibilityLevel, SchemaType
from ..results import FoundFixes
from ..v1 import fixes_pb2 as pb


@checked
def find_fixes(
    subject: str,
    content: Content,
    *,
    level: CompatibilityLevel | str = CompatibilityLevel.UNSPECIFIED,
    compare_version: str | int | None = None,
    references: Iterable[Reference] = (),
    schema_type: SchemaType | str = SchemaType.UNSPECIFIED,
    limit: int = 0,
    timeout: float | None = None,
) -> Unary[FoundFixes]:
    """Edits of a schema that `check_compatibility` refuses, under which it is compatible. Each was parsed and proved.

    The arguments are those of `check_compatibility`; `limit` is the most fixes, up to 5 (0: 3). No fix is an answer, not an error.
    """
    request = pb.FindFixesRequest(
        subject=subject,
        new_schema=content_bytes(content),
        level=number(CompatibilityLevel, level, "level"),
        compare_version=None if compare_version is None else selector(compare_version, "compare_version"),
        references=reference_messages(references),
        schema_type=number(SchemaType, schema_type, "schema_type"),
        limit=limit,
    )
    return unary(FIXES + "FindFixes", pb.FindFixesResponse, _decode_fixes.found_fixes, request, timeout)
