"""What users do, and whether the answers are right. Each operation makes one call (a few also read what they wrote)."""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping

from loads import corpus
from loads.corpus import Entry, Zipf
from loads.plan import Plan
from watchers import Watchers
from wires import Found, Wire

SUBJECTS = 200
"""Of a storm of registrations, per run; each gets version after version."""


class WrongAnswer(Exception):
    """The server answered, and not what is right."""


def must_be(what: str, found: object, right: object) -> None:
    """Raises WrongAnswer unless they are equal."""
    if found != right:
        raise WrongAnswer(f"{what} is {found!r:.200} and not {right!r:.200}")


class Operations:
    """By name what a user may do; safe to be used by many greenlets."""

    def __init__(self, wire: Wire, plan: Plan, watchers: Watchers | None) -> None:
        self._wire, self._plan, self._watchers = wire, plan, watchers
        self._chooser = random.Random(plan.seed)
        self._corpus = plan.corpus
        self._latest = corpus.latest(plan.corpus)
        self._any = Zipf(len(self._corpus), plan.zipf, self._chooser)
        self._subject = Zipf(len(self._latest), plan.zipf, self._chooser)
        self._unique = itertools.count(self._chooser.randrange(10**6) * 1000)
        # A subject is with one writer at a time, so that the ordinal of its next version is known.
        self._free: deque[tuple[str, int]] = deque()
        self._made = itertools.count()
        self.by_name: Mapping[str, Callable[[], None]] = {
            "GetSchema": self.read,
            "GetLatestVersion": self.read_latest,
            "GetSchemaByVersion": self.read_version,
            "ValidateData": self.validate,
            "CheckCompatibility": self.check,
            "RegisterSchema": self.register,
            "SearchSchemas": self.search,
        }

    def read(self) -> None:
        entry = self._corpus[self._any.next()]
        _must_have(self._wire.get(entry.schema_id), entry)

    def read_latest(self) -> None:
        entry = self._latest[self._subject.next()]
        _must_have(self._wire.latest(entry.subject), entry)

    def read_version(self) -> None:
        entry = self._corpus[self._any.next()]
        _must_have(self._wire.by_version(entry.subject, str(entry.ordinal)), entry)

    def validate(self) -> None:
        """One payload in four is invalid."""
        entry = self._corpus[self._any.next()]
        right = self._chooser.random() < 0.75
        valid, paths = self._wire.validate(entry.schema_id, entry.valid if right else entry.invalid)
        must_be(f"the verdict under {entry.subject}", valid, right)
        if not right and not any("id" in path for path in paths):
            raise WrongAnswer(f"the errors under {entry.subject} are at {paths}, and none is at `id`")

    def check(self) -> None:
        """Half of the schemas are compatible; none was seen before."""
        entry = self._latest[self._subject.next()]
        right = self._chooser.random() < 0.5
        content = corpus.candidate(entry, next(self._unique), compatible=right)
        found = self._wire.compatible(entry.subject, content, entry.schema_type)
        must_be(f"the compatibility with {entry.subject}", found, right)

    def register(self) -> None:
        """The next version of a subject, and one time in ten a look at what is the latest one now."""
        subject, ordinal = self.taken()
        content = corpus.growing(subject, ordinal)
        if self._watchers is not None:
            self._watchers.writing(subject, ordinal)
        made = self._wire.register(subject, content, corpus.JSON)
        must_be("the subject", made.subject, subject)
        must_be(f"the ordinal of the new version of {subject}", made.ordinal, ordinal)
        must_be(f"`created` of {subject}", made.created, True)
        if self._chooser.random() < 0.1:
            right = Found(made.schema_id, subject, ordinal, content)
            must_be("the latest version after the registration", self._wire.latest(subject), right)
        if self._watchers is not None:
            self._watchers.written(subject, ordinal)
        self.give_back(subject, ordinal)

    def taken(self) -> tuple[str, int]:
        """A subject that nobody else writes to now, and the ordinal of its next version."""
        if len(self._free) < 1 or next(self._made) < SUBJECTS:
            return f"storm.{self._plan.run}.n{next(self._unique)}", 1
        subject, last = self._free.popleft()
        return subject, last + 1

    def give_back(self, subject: str, ordinal: int) -> None:
        """After its version was registered; a subject whose call failed is not used again."""
        self._free.append((subject, ordinal))

    def search(self) -> None:
        """For the title of one subject."""
        entry = self._latest[self._subject.next()]
        found = self._wire.search(entry.subject)
        if entry.subject not in found:
            raise WrongAnswer(f"a search for {entry.subject} finds {list(found)[:5]}")


def _must_have(found: Found, entry: Entry) -> None:
    right = Found(entry.schema_id, entry.subject, entry.ordinal, entry.content)
    must_be(f"version {entry.ordinal} of {entry.subject}", found, right)
