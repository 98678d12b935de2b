"""Whether credentials that were verified still count: what ends them, here or on another server, is told at once to who relies on
them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

KEYS = "key "
"""What the credentials of API keys begin with: of those it is known when they were used last."""
_AT_ONCE = 200
MOST_ENDED = 1024
"""Credentials that are remembered as ended lately."""

Watcher = Callable[[], None]
"""Called once when a credential must be verified anew. It must be quick and must not raise."""


class Standing:
    """Of one credential. counts: whether what was verified of it still holds. used: whether it was shown since this was last
    set to False."""

    __slots__ = ("__weakref__", "_watchers", "counts", "used")

    def __init__(self) -> None:
        self.counts, self.used = True, True
        self._watchers: dict[Watcher, None] = {}

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher` called when it counts no more; the answer ends that."""
        self._watchers[watcher] = None
        return lambda: self._watchers.pop(watcher, None)

    def end(self) -> None:
        """What was verified holds no more."""
        _tell(list(self.ended()))

    def ended(self) -> Iterable[Watcher]:
        """As `end`; the answer are those who are to be told."""
        self.counts = False
        watchers, self._watchers = self._watchers, {}
        return watchers


class Standings:
    """Those of all credentials that somebody relies on, by credential (Principal.credential). generation: how often something
    has ended."""

    def __init__(self) -> None:
        self.generation = 0
        self._all_ended = 0
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._known: WeakValueDictionary[str, Standing] = WeakValueDictionary()
        self._new_keys: dict[str, Standing] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, credential: str) -> Standing:
        """The standing of a credential that was verified just now."""
        found = self._known.get(credential)
        if found is None:
            found = self._known[credential] = Standing()
            if credential.startswith(KEYS):
                self._new_keys[credential] = found
        return found

    def used_keys(self) -> list[str]:
        """The ids of the API keys that were used since this was asked last."""
        everyone = {**dict(self._known.items()), **self._new_keys}
        self._new_keys = {}
        found = []
        for credential, standing in everyone.items():
            if standing.used and credential.startswith(KEYS):
                standing.used = False
                found.append(credential.removeprefix(KEYS))
        return found

    def ended_since(self, credential: str, generation: int) -> bool:
        """Whether what was read of a credential at this generation may not hold any more."""
        lately = self.generation - generation < MOST_ENDED
        return self._all_ended > generation or not lately or self._ended.get(credential, 0) > generation

    def end(self, credential: str) -> None:
        """What was verified of this credential holds no more."""
        self.generation += 1
        self._ended[credential] = self.generation
        self._ended.move_to_end(credential)
        if len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)
        ended = self._known.pop(credential, None)
        if ended is not None:
            ended.end()

    def end_all(self) -> None:
        """Anything may have changed."""
        self.generation += 1
        self._all_ended = self.generation
        ended, self._known = list(self._known.values()), WeakValueDictionary()
        _tell([watcher for each in ended for watcher in each.ended()])


def _tell(watchers: list[Watcher]) -> None:
    """Tell all of them, so many at a time: a key may have thousands of streams, and others' calls have their turns meanwhile."""
    for watcher in watchers[:_AT_ONCE]:
        watcher()
    if left := watchers[_AT_ONCE:]:
        asyncio.get_running_loop().call_soon(_tell, left)
