"""Finds remedies for an incompatible verdict: each is tried before it is suggested. Pure.

The search is a generator that yields comparison requests and is sent their verdicts, so that the server can run them in
its workers, and a program without a server in its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..formats.engine import SchemaSource
from ..formats.json_schema.closing import close_objects
from ..model.compatibility import CompareOptions, CompatibilityLevel, Direction, Remedy, Verdict
from ..model.schema import SchemaType
from .levels import LEVEL_REQUIREMENTS
from .remedies import CLOSE_OBJECTS, level_remedy, option_candidates, other_levels

MAX_VERSIONS = 4
"""With more versions to compare with, no remedy is tried: a refusal must not cost much more than the check."""
MAX_BYTES = 64 * 1024
"""No remedy is tried for schemas larger than this, in bytes with references."""


class Comparable(Protocol):
    """What the search needs of a schema."""

    @property
    def schema_type(self) -> SchemaType: ...

    @property
    def source(self) -> SchemaSource: ...


S = TypeVar("S", bound=Comparable)


@dataclass(frozen=True, slots=True)
class FailedCheck(Generic[S]):
    """A failed check: the new schema, the earlier ones that it was compared with (newest first), level and options."""

    schema: S
    earlier: Sequence[S]
    level: CompatibilityLevel
    options: CompareOptions
    verdicts: Mapping[tuple[int, Direction], Verdict]
    """(index in `earlier`, direction) -> the verdict of each comparison that was made."""


@dataclass(frozen=True, slots=True)
class ComparisonRequest(Generic[S]):
    """May `reader` read everything that `writer` writes?"""

    reader: S
    writer: S
    options: CompareOptions


Verdicts = Generator[ComparisonRequest[S], Verdict, bool]


def find_remedies(
    failed_check: FailedCheck[S], with_content: Callable[[S, bytes], S]
) -> Generator[ComparisonRequest[S], Verdict, tuple[Remedy, ...]]:
    """The remedies that work: settings first, then closed objects, then another level.

    Yields comparison requests, is sent their verdicts, returns the remedies. with_content: gives a schema with its
    content replaced, ready to be compared.
    """
    sizes = [failed_check.schema.source.size, *(old.source.size for old in failed_check.earlier)]
    if len(failed_check.earlier) > MAX_VERSIONS or max(sizes) > MAX_BYTES:
        return ()
    found: list[Remedy] = []
    for candidate in option_candidates(failed_check.schema.schema_type, failed_check.options):
        if (yield from _all_compatible(failed_check, failed_check.earlier, candidate.options)):
            found.append(candidate.remedy)
            break  # one setting is enough; the next one gives up more
    if failed_check.schema.schema_type is SchemaType.JSON and Direction.BACKWARD in _failed_directions(
        failed_check
    ):
        closed = [(old, close_objects(old.source.content)) for old in failed_check.earlier]
        schemas = [with_content(old, content) for old, content in closed if content is not None]
        if len(schemas) == len(closed) and (
            yield from _all_compatible(failed_check, schemas, failed_check.options)
        ):
            found.append(CLOSE_OBJECTS)
    for level in other_levels(failed_check.level):
        if (yield from _is_compatible_at(failed_check, level)):
            found.append(level_remedy(level))
            break
    return tuple(found)


def _all_compatible(
    failed_check: FailedCheck[S], earlier: Sequence[S], options: CompareOptions
) -> Verdicts[S]:
    for old in earlier:
        for direction in LEVEL_REQUIREMENTS[failed_check.level].directions:
            if (yield _request(failed_check.schema, old, direction, options)) is not Verdict.YES:
                return False
    return True


def _is_compatible_at(failed_check: FailedCheck[S], level: CompatibilityLevel) -> Verdicts[S]:
    demand = LEVEL_REQUIREMENTS[level]
    if demand.transitive and not LEVEL_REQUIREMENTS[failed_check.level].transitive:
        return False  # the other versions were not looked at
    for place, old in enumerate(failed_check.earlier if demand.transitive else failed_check.earlier[:1]):
        for direction in demand.directions:
            verdict = failed_check.verdicts.get((place, direction))
            if verdict is None:
                verdict = yield _request(failed_check.schema, old, direction, failed_check.options)
            if verdict is not Verdict.YES:
                return False
    return True


def _request(new: S, old: S, direction: Direction, options: CompareOptions) -> ComparisonRequest[S]:
    reader, writer = (new, old) if direction is Direction.BACKWARD else (old, new)
    return ComparisonRequest(reader, writer, options)


def _failed_directions(failed_check: FailedCheck[S]) -> Iterator[Direction]:
    return (
        direction for (_, direction), verdict in failed_check.verdicts.items() if verdict is not Verdict.YES
    )
