"""Candidates of remedies: changes that may make two incompatible schemas compatible. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..model.compatibility import (
    CompareOptions,
    CompatibilityLevel,
    Direction,
    Remedy,
    RemedyKind,
    Strictness,
    WriterModel,
)
from ..model.schema import SchemaType
from .levels import LEVEL_REQUIREMENTS

L = CompatibilityLevel

_STRICTEST_FIRST = (
    L.FULL_TRANSITIVE,
    L.FULL,
    L.BACKWARD_TRANSITIVE,
    L.FORWARD_TRANSITIVE,
    L.BACKWARD,
    L.FORWARD,
)
_WEAKER_STRICTNESS: Mapping[Strictness, tuple[Strictness, ...]] = {
    Strictness.SOURCE: (Strictness.WIRE_JSON, Strictness.WIRE),
    Strictness.WIRE_JSON: (Strictness.WIRE,),
    Strictness.WIRE: (),
}
_MEANING: Mapping[Direction, str] = {
    Direction.BACKWARD: "readers with the new schema accept what the earlier ones wrote (upgrade readers first)",
    Direction.FORWARD: "readers with an earlier schema accept what the new one writes (upgrade writers first)",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remedy that has not been tried: it helps if the failed comparisons succeed with these options."""

    remedy: Remedy
    options: CompareOptions


def option_candidates(schema_type: SchemaType, options: CompareOptions) -> Iterator[Candidate]:
    """The settings of a subject that may change the verdict, those that give up least safety first."""
    if schema_type is SchemaType.JSON and options.writer_model is WriterModel.OPEN:
        yield Candidate(
            Remedy(
                RemedyKind.WRITER_MODEL,
                "objects of the earlier schema are open, so its data may hold any value under a name that the new "
                "schema declares; if writers send only the properties that their schema declares, set writer_model "
                "to DECLARED_KEYS",
                {"writer_model": WriterModel.DECLARED_KEYS.value},
            ),
            replace(options, writer_model=WriterModel.DECLARED_KEYS),
        )
    if schema_type is SchemaType.JSON and not options.apply_defaults:
        yield Candidate(
            Remedy(
                RemedyKind.APPLY_DEFAULTS,
                "if readers fill in `default` before they validate, set apply_defaults to true",
                {"apply_defaults": "true"},
            ),
            replace(options, apply_defaults=True),
        )
    if schema_type is SchemaType.PROTOBUF:
        for weaker in _WEAKER_STRICTNESS[options.strictness]:
            yield Candidate(
                Remedy(
                    RemedyKind.STRICTNESS,
                    f"strictness {options.strictness.value} asks for more than the level needs; "
                    f"set strictness to {weaker.value} if nobody depends on it",
                    {"strictness": weaker.value},
                ),
                replace(options, strictness=weaker),
            )


def other_levels(level: CompatibilityLevel) -> Iterator[CompatibilityLevel]:
    """The levels that do not include all that `level` requires, strictest first; never NONE."""
    asked = LEVEL_REQUIREMENTS[level]
    for other in _STRICTEST_FIRST:
        demand = LEVEL_REQUIREMENTS[other]
        includes = set(demand.directions) >= set(asked.directions) and demand.transitive >= asked.transitive
        if not includes:
            yield other


def level_remedy(level: CompatibilityLevel) -> Remedy:
    """The remedy that says the change is compatible at `level`."""
    meaning = " and ".join(_MEANING[direction] for direction in LEVEL_REQUIREMENTS[level].directions)
    return Remedy(
        RemedyKind.LEVEL,
        f"the change is {level.name} compatible: {meaning}; set the level if that is enough",
        {"level": level.name},
    )


CLOSE_OBJECTS = Remedy(
    RemedyKind.CLOSE_OBJECTS,
    'if the objects of the earlier schema had been closed ("additionalProperties": false), this change would be '
    "compatible; an open version cannot be closed afterwards without refusing its own data, so delete it and register "
    "a closed one if nothing was written with it",
)
