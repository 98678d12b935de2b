"""References pinned to versions: the versions that subjects and selectors select at the moment of a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InvalidRequest, InvalidVersion, ReferenceCycle, ReferenceNotFound
from ..model.lifecycle import EVER_REGISTERED
from ..model.schema import Reference, ResolvedReference, SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..model.selection import choose
from ..model.selector import Range, parse_selector
from ..model.subject import Subject
from ..storage.cycles import find_cycle
from ..storage.protocols.search import SearchRead
from ..storage.store import ReadTx
from .selection import deleted_hint

HIDDEN = "(a subject that you may not read)"


@dataclass(frozen=True, slots=True)
class PinnedReference:
    """A reference, and the version that it is pinned to."""

    reference: ResolvedReference
    target: SchemaVersion


async def pin_references(
    tx: ReadTx,
    subject: Subject | None,
    references: Sequence[Reference],
    *,
    field: str,
    most: int,
    readable: SubjectScope = EVERYTHING,
) -> tuple[PinnedReference, ...]:
    """The versions that `references` select now. Only rows are read, no contents.

    subject: the subject of the schema with these references; None when it has none. most: references allowed. readable: the
    subjects that the caller may read; a reference to another one points to nothing.
    Raises ReferenceNotFound, ReferenceCycle or InvalidRequest, each naming the place in `field`.
    """
    if len(references) > most:
        raise InvalidRequest(
            field, f"has {len(references)} items; the limit is {most} (setting limits.references)"
        )
    pins: list[PinnedReference] = []
    for i, reference in enumerate(references):
        place = f"{field}[{i}]"
        if not reference.name:
            raise InvalidRequest(f"{place}.name", "must not be empty")
        if any(reference.name == p.reference.name for p in pins):
            raise InvalidRequest(f"{place}.name", f"{reference.name!r} is given twice")
        target = await _target(tx, reference, place, readable)
        pinned = ResolvedReference(
            reference.name, target.subject, target.ordinal, target.version, target.schema_id
        )
        pins.append(PinnedReference(pinned, target))
    if subject is not None:
        await _refuse_cycle(tx, subject, pins, field, readable)
    return tuple(pins)


def references_of(pins: Sequence[PinnedReference]) -> tuple[ResolvedReference, ...]:
    return tuple(p.reference for p in pins)


async def _target(tx: ReadTx, reference: Reference, place: str, readable: SubjectScope) -> SchemaVersion:
    try:
        selector = parse_selector(reference.version)
    except InvalidVersion as error:
        raise InvalidVersion(f"{place}.version", error.violations[0].description) from error
    if not readable.contains(str(reference.subject)):
        raise _points_to_nothing(reference, place, f"no subject {str(reference.subject)!r}")
    if isinstance(selector, Range):
        target = choose(await tx.versions(reference.subject), selector)
    else:
        target = await tx.selected(reference.subject, selector)
    if target is None:
        versions = await tx.versions(reference.subject, include_deleted=True)
        hint = deleted_hint(versions, selector)
        missing = (
            f"no version {reference.version or 'latest'!r} of subject {str(reference.subject)!r}"
            if any(v.live for v in versions)
            else f"no subject {str(reference.subject)!r}"
        ) + (f"; {hint}" if hint else "")
        raise _points_to_nothing(reference, place, missing)
    if target.state not in EVER_REGISTERED:
        raise ReferenceNotFound(
            place,
            f"{reference.name!r} points to {target.version} (ordinal {target.ordinal}) of subject "
            f"{str(reference.subject)!r}, which is {target.state.name}: such a version cannot be referenced; register its content first, "
            "or name another version",
            subject=str(reference.subject),
        )
    return target


def _points_to_nothing(reference: Reference, place: str, missing: str) -> ReferenceNotFound:
    return ReferenceNotFound(
        place, f"{reference.name!r} points to nothing: {missing}", subject=str(reference.subject)
    )


async def _refuse_cycle(
    tx: SearchRead, subject: Subject, pins: Sequence[PinnedReference], field: str, readable: SubjectScope
) -> None:
    """Raise ReferenceCycle when a subject would use itself, directly or through others (storage/cycles.py): its readers could
    never be ordered."""
    path = await find_cycle(tx, subject, [p.target.subject for p in pins])
    if path is None:
        return
    place = next(i for i, p in enumerate(pins) if p.target.subject == path[0])
    names = (str(step) for step in path)
    shown = " -> ".join(
        [str(subject), *(n if n == str(subject) or readable.contains(n) else HIDDEN for n in names)]
    )
    raise ReferenceCycle(
        f"{field}[{place}]", f"{pins[place].reference.name!r} closes a cycle of subjects: {shown}"
    )
