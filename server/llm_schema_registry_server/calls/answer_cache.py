"""Answers cached as the bytes that went out, so that the same question again costs a look-up. Single-threaded.

Invariant: an answer is cached only if nothing it was computed from changed meanwhile. A computation takes a token before
it reads (`begin`) and hands it in with the answer (`store`); an answer with a tag that was invalidated after its token
is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .operation import REGISTRY, ResourceKind, Resources

Key = tuple[str, str, bytes]
"""Face, id of the operation, and the bytes of the request: whatever the face takes for the same question."""

# What an entry costs beside its key and body: objects, dictionary slots, tag sets; measured at 1,100 bytes.
_ENTRY_BYTES = 1100
# Invalidations that are remembered one by one; older ones refuse every answer begun before them.
_REMEMBERED = 4096
_SUBJECTS = frozenset({ResourceKind.SUBJECT, ResourceKind.REFERENCE})


@dataclass(slots=True)
class CachedAnswer:
    """What goes out: the serialized body and the metadata beside it; what the call touched whose answer it was, and the
    schema that it hands out ("" when none). The first `named` of the resources are those that its request names. `reads`: how often
    it went out since that was collected. `tags`: the subjects it depends on; `size`: what it takes, in bytes;
    `of_all`: whether it depends on all subjects; while it is cached."""

    body: bytes
    metadata: tuple[tuple[str, str], ...] = ()
    resources: Resources = ()
    schema_id: str = ""
    named: int = 0
    reads: int = field(default=0, compare=False)
    tags: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    size: int = field(default=0, init=False, repr=False, compare=False)
    of_all: bool = field(default=False, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AnswerCacheStats:
    """Counts since the start, and what is held now."""

    misses: int
    refused: int
    entries: int
    bytes: int


class AnswerCache:
    """Serialized answers by face, operation and request bytes, least recently used out first when over `max_bytes`.

    An answer depends on the subjects among its resources, by qualified name; those are its tags, and one without any is
    not cached. One of the whole registry depends on all subjects: every change drops it, and such answers have a quarter of
    the memory together, lest searches take the place of what is read by name. With `count_reads`, reads of the schemas that
    answers hand out are counted here, where they pass, for whoever collects them with `readings`.
    """

    def __init__(self, max_bytes: int, *, count_reads: bool = False) -> None:
        # Answers that any change drops, the least recently used first.
        self._of_all: OrderedDict[Key, None] = OrderedDict()
        self._bytes_of_all = 0
        self._count_reads = count_reads
        self._read_before: dict[str, int] = {}  # of answers that were never cached, or were dropped since
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Key, CachedAnswer] = OrderedDict()
        self.lookup: Callable[[Key], CachedAnswer | None] = self._entries.get
        """The answer to this request, None when it is not held; `gave` or `missed` then counts what became of it."""
        self._by_tag: dict[str, set[Key]] = {}
        self._bytes = 0
        self._epoch = 0
        self._invalidated: OrderedDict[str, int] = OrderedDict()
        self._floor = 0
        self._misses = self._refused = 0

    def missed(self) -> None:
        """Counts that a `lookup` found nothing, and the answer is computed."""
        self._misses += 1

    def gave(self, key: Key, answer: CachedAnswer) -> None:
        """Counts that the answer of a `lookup` just now went out."""
        self._entries.move_to_end(key)
        if answer.of_all:
            self._of_all.move_to_end(key)
        answer.reads += 1

    def begin(self) -> int:
        """A token for an answer about to be computed; take it before anything is read."""
        return self._epoch

    def store(self, token: int, key: Key, answer: CachedAnswer, *, asked: bool = True) -> bool:
        """Caches an answer that went out, or for which nobody `asked` yet; False when it may be stale already, depends on
        nothing, or is too big to be worth it."""
        self._count(answer.schema_id, int(asked))
        size = len(key[2]) + len(answer.body) + _ENTRY_BYTES
        of_all = REGISTRY in answer.resources
        tags = tuple({name: None for kind, name in answer.resources if kind in _SUBJECTS})
        fresh = token >= self._epoch if of_all else bool(tags) and self._fresh(token, tags)
        if not fresh or size * 8 > self._max_bytes:
            self._refused += 1
            return False
        self._drop(key)
        answer.tags, answer.size, answer.of_all = tags, size, of_all
        self._entries[key] = answer
        self._bytes += size
        if of_all:
            self._of_all[key] = None
            self._bytes_of_all += size
            while self._bytes_of_all * 4 > self._max_bytes:
                self._drop(next(iter(self._of_all)))
        for tag in tags:
            self._by_tag.setdefault(tag, set()).add(key)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
        return True

    @property
    def room(self) -> bool:
        """Whether more answers can be held without dropping others, with some memory left for what comes."""
        return self._bytes < self._max_bytes * 0.9

    def invalidate(self, tag: str) -> None:
        """Drops every answer that depends on `tag`, and refuses those being computed now."""
        self._epoch += 1
        self._invalidated[tag] = self._epoch
        self._invalidated.move_to_end(tag)
        if len(self._invalidated) > _REMEMBERED:
            self._floor = self._invalidated.popitem(last=False)[1]
        for key in (*self._by_tag.get(tag, ()), *self._of_all):
            self._drop(key)

    def clear(self) -> None:
        """Drops everything, and refuses every answer being computed now."""
        self._epoch += 1
        self._floor = self._epoch
        self._invalidated.clear()
        for answer in self._entries.values():
            self._collect(answer)
        self._entries.clear()
        self._by_tag.clear()
        self._of_all.clear()
        self._bytes = self._bytes_of_all = 0

    def readings(self) -> Iterator[tuple[str, int]]:
        """How often each schema was read since the last collection: by id, perhaps in several parts. Calls may go on
        between one part and the next."""
        before, self._read_before = self._read_before, {}
        yield from before.items()
        for answer in tuple(self._entries.values()):
            reads, answer.reads = answer.reads, 0
            if reads and answer.schema_id and self._count_reads:
                yield answer.schema_id, reads

    def count_read(self, schema_id: str) -> None:
        """Counts a read of a schema that an answer handed out among others."""
        self._count(schema_id, 1)

    def stats(self) -> AnswerCacheStats:
        """The counters now."""
        return AnswerCacheStats(self._misses, self._refused, len(self._entries), self._bytes)

    def _fresh(self, token: int, tags: Sequence[str]) -> bool:
        return token >= self._floor and all(self._invalidated.get(tag, 0) <= token for tag in tags)

    def _collect(self, answer: CachedAnswer) -> None:
        reads, answer.reads = answer.reads, 0
        self._count(answer.schema_id, reads)

    def _count(self, schema_id: str, reads: int) -> None:
        if reads and schema_id and self._count_reads:
            self._read_before[schema_id] = self._read_before.get(schema_id, 0) + reads

    def _drop(self, key: Key) -> None:
        answer = self._entries.pop(key, None)
        if answer is None:
            return
        self._bytes -= answer.size
        if answer.of_all:
            del self._of_all[key]
            self._bytes_of_all -= answer.size
        self._collect(answer)
        for tag in answer.tags:
            keys = self._by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._by_tag[tag]
