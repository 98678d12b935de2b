"""The class of a change, and the semantic version that it requires. Pure."""

from __future__ import annotations

from ..errors import VersionNotGreater
from ..model.compatibility import ChangeClass, Verdict
from ..model.schema import Fingerprints
from ..model.version import FIRST, SemanticVersion


def change_class(
    old: Fingerprints, new: Fingerprints, verdict: Verdict, *, same_canonical: bool = False
) -> ChangeClass:
    """What changed between two versions of a subject, given the verdict in the directions its level asks about.

    same_canonical: the canonical forms (keys sorted, annotations kept) are equal, so that only order can differ.

    An undecided verdict counts as breaking: what is not proved is not promised. Equal validation fingerprints mean
    that nothing about validity changed; then equal generation fingerprints mean that only white space did.
    """
    if old.generation == new.generation:
        return ChangeClass.NONE
    if same_canonical:
        return ChangeClass.ORDER_ONLY
    if old.validation == new.validation:
        return ChangeClass.ANNOTATION_ONLY
    return ChangeClass.COMPATIBLE if verdict is Verdict.YES else ChangeClass.BREAKING


def next_version(last: SemanticVersion | None, change: ChangeClass) -> SemanticVersion:
    """The version that follows `last` for this change; 1.0.0 after nothing, or after pre-releases of it."""
    if last is None:
        return FIRST
    if change is ChangeClass.BREAKING:
        return last.next_major()
    if change is ChangeClass.COMPATIBLE:
        return last.next_minor()
    return last.next_patch()


def check_explicit(
    wanted: SemanticVersion, last: SemanticVersion | None, change: ChangeClass
) -> SemanticVersion:
    """`wanted`, if it is greater than `last` and at least as large a step as the change requires.

    Raises VersionNotGreater. A pre-release counts as the release that it precedes.
    """
    if last is None:
        return wanted
    minimum = next_version(last, change)
    if wanted <= last:
        raise VersionNotGreater(str(wanted), str(minimum), f"the last version is {last}")
    if change in (ChangeClass.BREAKING, ChangeClass.COMPATIBLE) and wanted.release < minimum.release:
        raise VersionNotGreater(str(wanted), str(minimum), f"the change is {change.name}")
    return wanted
