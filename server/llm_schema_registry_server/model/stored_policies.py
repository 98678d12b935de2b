"""Access policies as they are stored: a document, of which every change makes another version. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredPolicies:
    """version: from 1, one more with each change. document: what auth/policies.py reads, as JSON. set_at: in UTC."""

    version: int
    document: str
    set_by: str
    set_at: datetime
