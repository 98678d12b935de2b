"""Ways out of an incompatible verdict: each is tried before it is suggested. Pure.

The search compares nothing by itself. It asks for one comparison after the other, so that the server can have them made
by its workers, and a program without a server on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..formats.engine import SchemaSource
from ..formats.json_schema.closing import close_objects
from ..model.compatibility import CompareOptions, CompatibilityLevel, Direction, Remedy, Verdict
from ..model.schema import SchemaType
from .levels import DEMANDS
from .remedies import CLOSE_OBJECTS, level_remedy, option_candidates, other_levels

MAX_VERSIONS = 4
"""With more versions to compare with than this, nothing is tried: a refusal must not cost much more than the check."""
MAX_BYTES = 64 * 1024
"""Nor with schemas larger than this, references included."""


class Comparable(Protocol):
    """What the search looks at in a schema."""

    @property
    def schema_type(self) -> SchemaType: ...

    @property
    def source(self) -> SchemaSource: ...


S = TypeVar("S", bound=Comparable)


@dataclass(frozen=True, slots=True)
class Refused(Generic[S]):
    """A check that failed: the new schema, those it was compared with (newest first), and under which assumptions."""

    schema: S
    earlier: Sequence[S]
    level: CompatibilityLevel
    options: CompareOptions
    verdicts: Mapping[tuple[int, Direction], Verdict]
    """Of each comparison that was made, by the place in `earlier`."""


@dataclass(frozen=True, slots=True)
class Question(Generic[S]):
    """May `reader` read everything that `writer` writes?"""

    reader: S
    writer: S
    options: CompareOptions


Answers = Generator[Question[S], Verdict, bool]


def find_remedies(
    refused: Refused[S], with_content: Callable[[S, bytes], S]
) -> Generator[Question[S], Verdict, tuple[Remedy, ...]]:
    """The remedies that work: settings first, then the closing of objects, then another level.

    Yields questions, is sent their verdicts, returns the remedies. with_content: a schema with another text in place of
    its own, as good as stored.
    """
    sizes = [refused.schema.source.size, *(old.source.size for old in refused.earlier)]
    if len(refused.earlier) > MAX_VERSIONS or max(sizes) > MAX_BYTES:
        return ()
    found: list[Remedy] = []
    for candidate in option_candidates(refused.schema.schema_type, refused.options):
        if (yield from _all_compatible(refused, refused.earlier, candidate.options)):
            found.append(candidate.remedy)
            break  # one setting is enough; the next one gives up more
    if refused.schema.schema_type is SchemaType.JSON and Direction.BACKWARD in _failed(refused):
        closed = [(old, close_objects(old.source.content)) for old in refused.earlier]
        schemas = [with_content(old, content) for old, content in closed if content is not None]
        if len(schemas) == len(closed) and (yield from _all_compatible(refused, schemas, refused.options)):
            found.append(CLOSE_OBJECTS)
    for level in other_levels(refused.level):
        if (yield from _holds(refused, level)):
            found.append(level_remedy(level))
            break
    return tuple(found)


def _all_compatible(refused: Refused[S], earlier: Sequence[S], options: CompareOptions) -> Answers[S]:
    for old in earlier:
        for direction in DEMANDS[refused.level].directions:
            if (yield _question(refused.schema, old, direction, options)) is not Verdict.YES:
                return False
    return True


def _holds(refused: Refused[S], level: CompatibilityLevel) -> Answers[S]:
    demand = DEMANDS[level]
    if demand.transitive and not DEMANDS[refused.level].transitive:
        return False  # the other versions were not looked at
    for place, old in enumerate(refused.earlier if demand.transitive else refused.earlier[:1]):
        for direction in demand.directions:
            verdict = refused.verdicts.get((place, direction))
            if verdict is None:
                verdict = yield _question(refused.schema, old, direction, refused.options)
            if verdict is not Verdict.YES:
                return False
    return True


def _question(new: S, old: S, direction: Direction, options: CompareOptions) -> Question[S]:
    reader, writer = (new, old) if direction is Direction.BACKWARD else (old, new)
    return Question(reader, writer, options)


def _failed(refused: Refused[S]) -> Iterator[Direction]:
    return (direction for (_, direction), verdict in refused.verdicts.items() if verdict is not Verdict.YES)
