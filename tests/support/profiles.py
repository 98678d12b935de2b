"""Profiles of providers for tests."""

from __future__ import annotations

import json
from typing import Any

ENFORCED = {"support": "ENFORCED", "basis": "DOCUMENTED", "source": "manual"}
REJECTED = {"support": "REJECTED", "basis": "OBSERVED", "source": "manual", "note": "tried on a Monday"}


def profile(name: str = "our-gateway", version: int = 1, **keywords: Any) -> str:
    """The document of a profile that enforces everything but the keywords that are given a cell of their own."""
    return json.dumps(
        {
            "id": name,
            "version": version,
            "title": "Our gateway, tools",
            "provider": "Our gateway",
            "as_of": "2026-11-01",
            "sources": {"manual": {"title": "The manual of our gateway"}},
            "enforcement": ENFORCED,
            "unlisted": ENFORCED,
            "keywords": {word: [cell] for word, cell in keywords.items()},
            "structure": dict.fromkeys(
                ("root_any", "root_union", "open_object", "typed_map", "optional_property", "no_required", "untyped",
                 "untyped_items", "type_list", "recursion", "reference_siblings"),
                ENFORCED,
            ),
            "envelopes": {"tool": {"name": "$name", "description": "$description", "parameters": "$schema"}},
        }
    )  # fmt: skip
