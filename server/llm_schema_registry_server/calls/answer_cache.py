"""Answers kept as the bytes that went out, so that the same question again costs a look-up. Single-threaded.

Invariant: an answer is kept only if nothing it was computed from changed meanwhile. A computation takes a token before
it reads (`begin`) and hands it in with the answer (`store`); an answer with a tag that was invalidated after its token
is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from .call import Wire

Key = tuple[str, str, bytes]

# What an entry costs beside its key and body: objects, dictionary slots, tag sets; measured at about 700 bytes.
_ENTRY_BYTES = 700
# Invalidations that are remembered one by one; older ones refuse every answer begun before them.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """What goes out: the serialized body and the metadata beside it."""

    body: bytes
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerCacheStats:
    """Counts since the start, and what is held now."""

    hits: Mapping[tuple[str, str], int]
    """By path and wire."""
    misses: int
    refused: int
    entries: int
    bytes: int


@dataclass(slots=True)
class _Entry:
    """`reads`: how often the answer went out since that was collected; `schema_id`: the schema that it hands out."""

    answer: CachedAnswer
    tags: tuple[str, ...]
    size: int
    schema_id: str
    reads: int = 0


class AnswerCache:
    """Serialized answers by (wire, path, request bytes), least recently used out first when over `max_bytes`.

    `paths` are the methods whose answers may be kept. `tags` names what an answer depends on (a subject, a schema id);
    an answer without tags is not kept. `schema_of` names the schema that an answer hands out, whose reads are counted here
    where they pass, for whoever collects them with `readings`; "" is none.
    """

    def __init__(
        self,
        paths: Collection[str],
        tags: Callable[[Message, Message], Sequence[str]],
        max_bytes: int,
        schema_of: Callable[[Message], str] | None = None,
    ) -> None:
        self.paths = frozenset(paths)
        self._schema_of = schema_of or _no_schema
        self._read_before: dict[str, int] = {}  # of answers that were never kept, or were dropped since
        self._tags = tags
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._by_tag: dict[str, set[Key]] = {}
        self._bytes = 0
        self._epoch = 0
        self._invalidated: OrderedDict[str, int] = OrderedDict()
        self._floor = 0
        self._hits: dict[tuple[str, str], int] = dict.fromkeys(
            ((path, wire) for path in self.paths for wire in ("grpc", "http")), 0
        )
        self._misses = self._refused = 0

    def lookup(self, wire: Wire, path: str, key: bytes) -> CachedAnswer | None:
        """The answer to this request, None when it is not held."""
        full_key = (wire, path, key)
        entry = self._entries.get(full_key)
        if entry is None:
            self._misses += 1
            return None
        self._entries.move_to_end(full_key)
        self._hits[path, wire] += 1
        entry.reads += 1
        return entry.answer

    def begin(self) -> int:
        """A token for an answer about to be computed; take it before anything is read."""
        return self._epoch

    def store(
        self,
        token: int,
        wire: Wire,
        path: str,
        key: bytes,
        request: Message,
        response: Message,
        answer: CachedAnswer,
        *,
        asked: bool = True,
    ) -> bool:
        """Keeps an answer that went out, or of which nobody `asked` yet; False when it may be stale already, depends on nothing, or is too big to be worth
        it."""
        schema_id = self._schema_of(response)
        self._count(schema_id, int(asked))
        size = len(key) + len(answer.body) + _ENTRY_BYTES
        tags = tuple(dict.fromkeys(self._tags(request, response)))
        if not tags or size * 8 > self._max_bytes or not self._fresh(token, tags):
            self._refused += 1
            return False
        full_key = (wire, path, key)
        self._drop(full_key)
        self._entries[full_key] = _Entry(answer, tags, size, schema_id)
        self._bytes += size
        for tag in tags:
            self._by_tag.setdefault(tag, set()).add(full_key)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
        return True

    @property
    def room(self) -> bool:
        """Whether more answers can be kept without dropping others, and some are left for what comes."""
        return self._bytes < self._max_bytes * 0.9

    def invalidate(self, tag: str) -> None:
        """Drops every answer that depends on `tag`, and refuses those being computed now."""
        self._epoch += 1
        self._invalidated[tag] = self._epoch
        self._invalidated.move_to_end(tag)
        if len(self._invalidated) > _REMEMBERED:
            self._floor = self._invalidated.popitem(last=False)[1]
        for key in tuple(self._by_tag.get(tag, ())):
            self._drop(key)

    def clear(self) -> None:
        """Drops everything, and refuses every answer being computed now."""
        self._epoch += 1
        self._floor = self._epoch
        self._invalidated.clear()
        for entry in self._entries.values():
            self._count(entry.schema_id, entry.reads)
            entry.reads = 0
        self._entries.clear()
        self._by_tag.clear()
        self._bytes = 0

    def readings(self) -> Iterator[tuple[str, int]]:
        """How often each schema was read since it was told last: by id, perhaps in several parts. Calls may go on between
        one part and the next."""
        before, self._read_before = self._read_before, {}
        yield from before.items()
        for entry in tuple(self._entries.values()):
            reads, entry.reads = entry.reads, 0
            if reads and entry.schema_id:
                yield entry.schema_id, reads

    def stats(self) -> AnswerCacheStats:
        """The counters now."""
        return AnswerCacheStats(
            dict(self._hits), self._misses, self._refused, len(self._entries), self._bytes
        )

    def _fresh(self, token: int, tags: Sequence[str]) -> bool:
        return token >= self._floor and all(self._invalidated.get(tag, 0) <= token for tag in tags)

    def _count(self, schema_id: str, reads: int) -> None:
        if reads and schema_id:
            self._read_before[schema_id] = self._read_before.get(schema_id, 0) + reads

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._bytes -= entry.size
        self._count(entry.schema_id, entry.reads)
        entry.reads = 0
        for tag in entry.tags:
            keys = self._by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._by_tag[tag]


def _no_schema(response: Message) -> str:
    return ""
