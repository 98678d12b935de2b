"""An index of subscribers by what they want, so that a change costs only those whom it concerns."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from ..model.change import Change
from ..model.pattern import Glob
from .fairness import Turns
from .gathering import Gathered, GatheringSubscriber
from .subscribers import ChangeFilter, Subscriber

_KNOWN_NAMES = 4096
_MOST_KNOWN = 64
# So many patterns are tried between two looks at the clock: about 0.1 ms.
_TRIES = 256
_PART = 4


class _Group:
    """Subscribers that want the same, and `gathered`: what they take together, where they do."""

    __slots__ = ("gathered", "interest", "members")

    def __init__(self, interest: ChangeFilter, gathered: Gathered | None) -> None:
        self.interest, self.gathered = interest, gathered
        self.members: dict[Subscriber, None] = {}


class _Pattern:
    """A pattern, and the groups that have it."""

    __slots__ = ("glob", "groups")

    def __init__(self, glob: Glob) -> None:
        self.glob = glob
        self.groups: dict[_Group, None] = {}


def _beginning(name: str, length: int) -> Iterable[str]:
    return (name[:length],)


def _end(name: str, length: int) -> Iterable[str]:
    return (name[len(name) - length :],)


def _parts(name: str, length: int) -> Iterable[str]:
    return {name[i : i + length] for i in range(len(name) - length + 1)}


_GroupKey = tuple[ChangeFilter, float | None]


def _group_key(subscriber: Subscriber) -> _GroupKey:
    """What a subscriber wants, and for how long it lets it be held back; None for one that takes each change by itself."""
    seconds = subscriber.gathered.seconds if isinstance(subscriber, GatheringSubscriber) else None
    return subscriber.interest, seconds


class _ByText:
    """Patterns by a literal text that they hold; `places` are the texts of a length where a name may have it."""

    def __init__(self, places: Callable[[str, int], Iterable[str]]) -> None:
        self._places = places
        self._patterns: dict[str, dict[str, _Pattern]] = {}
        self._lengths: Counter[int] = Counter()

    def add(self, literal: str, glob: Glob) -> _Pattern:
        patterns = self._patterns.setdefault(literal, {})
        found = patterns.get(glob.pattern)
        if found is None:
            found = patterns[glob.pattern] = _Pattern(glob)
            self._lengths[len(literal)] += 1
        return found

    def remove(self, literal: str, pattern: str, group: _Group) -> None:
        patterns = self._patterns[literal]
        groups = patterns[pattern].groups
        del groups[group]
        if not groups:
            del patterns[pattern]
            self._lengths[len(literal)] -= 1
            if not self._lengths[len(literal)]:
                del self._lengths[len(literal)]
        if not patterns:
            del self._patterns[literal]

    def candidates(self, name: str) -> Iterator[Sequence[_Pattern]]:
        for length in tuple(self._lengths):
            if length <= len(name):
                for text in self._places(name, length):
                    if found := self._patterns.get(text):
                        yield tuple(found.values())


class SubscriberIndex:
    """The subscribers, found by what they want: by exact name, by the literal beginning of a pattern, by its literal end when it
    begins with a wildcard, or by some characters of its longest literal when it ends with one, too. Who wants the same stands in one group, which is looked for once; the groups of a name
    are remembered until what is wanted changes. `note` is told once of each change that those want who take changes together."""

    def __init__(self, note: Callable[[Gathered, Change], None] | None = None) -> None:
        self._note = note
        self._members: dict[Subscriber, None] = {}
        self._groups: dict[_GroupKey, _Group] = {}
        self._everything: dict[_Group, None] = {}
        self._by_name: dict[str, dict[_Group, None]] = {}
        self._by_prefix, self._by_suffix, self._by_part = _ByText(_beginning), _ByText(_end), _ByText(_parts)
        self._known: OrderedDict[str, tuple[_Group, ...]] = OrderedDict()
        self._generation = 0

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._members))

    def add(self, subscriber: Subscriber) -> None:
        """From now on changes are offered to it. Its filter becomes the one of those that want the same."""
        self._members[subscriber] = None
        key = _group_key(subscriber)
        group = self._groups.get(key)
        if group is None:
            gathered = subscriber.gathered if isinstance(subscriber, GatheringSubscriber) else None
            group = self._groups[key] = _Group(subscriber.interest, gathered)
            self._enter(group)
        subscriber.interest = group.interest
        group.members[subscriber] = None
        if isinstance(subscriber, GatheringSubscriber) and group.gathered is not None:
            subscriber.gathered = group.gathered
            group.gathered.members[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Nothing is offered to it any more."""
        del self._members[subscriber]
        key = _group_key(subscriber)
        group = self._groups[key]
        del group.members[subscriber]
        if isinstance(subscriber, GatheringSubscriber):
            del subscriber.gathered.members[subscriber]
        if not group.members:
            del self._groups[key]
            self._leave(group)

    async def wanting(self, change: Change, turns: Turns) -> AsyncIterator[Sequence[Subscriber]]:
        """Those that want a change, each once, in groups, but for those who take changes together, for whom it is noted. Others have their turns
        meanwhile: who comes or goes may be missing or left."""
        groups: Iterable[_Group] = tuple(self._everything)
        if change.subject is not None and len(self._groups) > len(self._everything):
            groups = (*groups, *await self._matching(str(change.subject), turns))
        for group in groups:
            if not group.interest.kinds or change.event_type in group.interest.kinds:
                if group.gathered is None:
                    yield tuple(group.members)
                elif self._note is not None:
                    self._note(group.gathered, change)

    @property
    def gathered(self) -> Sequence[Gathered]:
        """What waits for those who take changes together."""
        return [group.gathered for group in self._groups.values() if group.gathered is not None]

    async def _matching(self, name: str, turns: Turns) -> Sequence[_Group]:
        known = self._known.get(name)
        if known is not None:
            self._known.move_to_end(name)
            return known
        generation = self._generation
        found: dict[_Group, None] = dict(self._by_name.get(name, {}))
        for index in (self._by_prefix, self._by_suffix, self._by_part):
            for patterns in index.candidates(name):
                for number, pattern in enumerate(patterns, start=1):
                    if pattern.glob.matches(name):
                        found.update(pattern.groups)
                    if number % _TRIES == 0:
                        await turns.pause_if_due()
        groups = tuple(found)
        if generation == self._generation and len(groups) <= _MOST_KNOWN:
            self._known[name] = groups
            if len(self._known) > _KNOWN_NAMES:
                self._known.popitem(last=False)
        return groups

    def _enter(self, group: _Group) -> None:
        self._changed()
        interest = group.interest
        if interest.everything:
            self._everything[group] = None
        for name in interest.names:
            self._by_name.setdefault(name, {})[group] = None
        for glob in interest.globs:
            where, literal = self._place(glob)
            where.add(literal, glob).groups[group] = None

    def _leave(self, group: _Group) -> None:
        self._changed()
        interest = group.interest
        self._everything.pop(group, None)
        for name in interest.names:
            groups = self._by_name[name]
            del groups[group]
            if not groups:
                del self._by_name[name]
        for glob in interest.globs:
            where, literal = self._place(glob)
            where.remove(literal, glob.pattern, group)

    def _changed(self) -> None:
        self._generation += 1
        self._known.clear()

    def _place(self, glob: Glob) -> tuple[_ByText, str]:
        if glob.prefix:
            return self._by_prefix, glob.prefix
        if glob.suffix:
            return self._by_suffix, glob.suffix
        return self._by_part, glob.part[:_PART]
