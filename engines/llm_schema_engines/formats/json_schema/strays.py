"""Subschemas that are some only because references lead to them: they stand below keywords that no dialect knows, as in
`{"definitions": {"group": {"member": {...}}}}`, where no walk over keywords finds them and no metaschema checks them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .resources import REFERENCE_KEYWORDS, DocumentIndex, Place, Unresolvable
from .survey import refers


@dataclass(frozen=True, slots=True)
class Strays:
    """`roots`: where references lead, none inside of another. `places`: those and all subschemas below them."""

    roots: tuple[Place, ...] = ()
    places: tuple[Place, ...] = ()


NO_STRAYS = Strays()


def find_strays(document_index: DocumentIndex, root: Place) -> Strays:
    """Those of the document of `root`, linear in its size."""
    charted = list(document_index.walk(root))
    todo = [place for place in charted if refers(place)]
    if not todo:
        return NO_STRAYS
    walked = {place.key for place in charted}
    roots: list[Place] = []
    places: list[Place] = []
    while todo:
        for target in targets(document_index, todo.pop()):
            if target.document is not root.document or target.key in walked:
                continue
            roots.append(target)
            for place in document_index.walk_new(target, walked, definitions=True):
                places.append(place)
                if refers(place):
                    todo.append(place)
    return Strays(_outermost(roots), tuple(places)) if roots else NO_STRAYS


def targets(document_index: DocumentIndex, place: Place) -> list[Place]:
    """Where the references of a subschema itself lead, without those that lead nowhere: the check of references says so."""
    out = []
    for keyword in REFERENCE_KEYWORDS:
        reference = place.schema.get(keyword)
        if isinstance(reference, str):
            try:
                out.append(document_index.resolve(place.base, reference))
            except Unresolvable:
                continue  # strict parsing refuses it; a stored schema keeps what it has
    return out


def _outermost(roots: Iterable[Place]) -> tuple[Place, ...]:
    kept: list[Place] = []
    for place in sorted(roots, key=lambda r: r.pointer + "/"):
        if not kept or not place.pointer.startswith(kept[-1].pointer + "/"):
            kept.append(place)
    return tuple(kept)
