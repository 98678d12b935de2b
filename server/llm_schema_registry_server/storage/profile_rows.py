"""Profiles and their verdicts as rows of a database and back; see rows.py. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from ..model.profile import JudgedVersion, ProfileFit, ProfileMark, ProfileVerdict, StoredProfile
from ..model.timestamps import micros, moment
from . import rows
from .rows import Row, reading

PROFILE_COLUMNS = ("id", "version", "document", "put_by", "put_at")
"""The columns of a profile, in the order of `profile_row`."""
MARK_COLUMNS = ("id", "version", "put_at")
VERDICT_COLUMNS = ("schema_id", "profile", "profile_version", "fit", "facts")
"""The columns of a verdict, in the order of `verdict_row`."""
_FACTS = ("pointer", "keyword", "rule", "message")


def profile_row(stored: StoredProfile) -> tuple[Any, ...]:
    """The cells of PROFILE_COLUMNS."""
    return stored.id, stored.version, stored.document, stored.put_by, micros(stored.put_at)


def profile_of(row: Row) -> StoredProfile:
    """The profile in a row of PROFILE_COLUMNS."""
    with reading("profiles", row[0]):
        name, version, document, put_by, put_at = row
        "".join((name, document, put_by))  # raises TypeError for other types
        return StoredProfile(name, int(version), document, put_by, moment(put_at))


def mark_of(row: Row) -> ProfileMark:
    """The mark in a row of MARK_COLUMNS."""
    with reading("profiles", row[0]):
        name, version, put_at = row
        return ProfileMark("".join((name,)), int(version), moment(put_at))


def verdict_row(verdict: ProfileVerdict) -> tuple[Any, ...]:
    """The cells of VERDICT_COLUMNS."""
    facts = {
        "pointer": verdict.pointer,
        "keyword": verdict.keyword,
        "rule": verdict.rule,
        "message": verdict.message,
        "findings": verdict.findings,
    }
    return verdict.schema_id, verdict.profile, verdict.profile_version, int(verdict.fit), rows.dump(facts)


def verdict_of(row: Row) -> ProfileVerdict:
    """The verdict in a row of VERDICT_COLUMNS."""
    with reading("profile_verdicts", f"{row[0]} {row[1]}"):
        schema_id, profile, version, fit, cell = row
        "".join((schema_id, profile))
        facts = orjson.loads(cell)
        texts = {name: "".join((facts[name],)) for name in _FACTS}
        return ProfileVerdict(
            schema_id, profile, int(version), ProfileFit(fit), **texts, findings=int(facts["findings"])
        )


def judged_of(row: Row) -> JudgedVersion:
    """The version and verdict in a row of VERDICT_COLUMNS and then those of a version."""
    count = len(VERDICT_COLUMNS)
    return JudgedVersion(rows.version_of(row[count:]), verdict_of(row[:count]))
