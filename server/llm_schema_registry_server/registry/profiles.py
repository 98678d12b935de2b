"""Which profiles of providers there are: those that come with the server, those of its files, and those that were put."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from llm_schema_engines.providers.profile import Profile, is_profile_id
from llm_schema_engines.providers.reading import MOST_BYTES, read_profile, shipped

from ..errors import InvalidRequest, LimitExceeded, ProfileNotFound, Unavailable
from ..model.change import Change, EventType, format_revision
from ..model.principal import Actor
from ..model.profile import ProfileMark, StoredProfile
from ..model.timestamps import Clock
from ..storage.store import ReadTx, Store, WriteTx
from ..workers.provider_tasks import GivenProfile

BUILT_IN, FILE, STORED = "BUILT_IN", "FILE", "STORED"
SCOPE = "profile:"
"""What the scope of a CONFIG_UPDATED begins with that tells of a profile."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON text has it."""
_RESERVED = frozenset({"grammar"})
"""Ids that the engines use for profiles of their own."""


@dataclass(frozen=True, eq=False)
class KnownProfile:
    """A profile that is in force. origin: BUILT_IN, FILE or STORED. put_by, put_at: of a stored one."""

    profile: Profile
    origin: str
    put_by: str = ""
    put_at: datetime | None = None

    @cached_property
    def document(self) -> str:
        """As JSON text."""
        return json.dumps(self.profile.document, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def given(self) -> GivenProfile:
        """For a worker process."""
        if self.origin == BUILT_IN:
            return GivenProfile(self.profile.id)
        return GivenProfile(self.profile.id, self.document.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class ProfileLimits:
    """How many profiles may be stored, and the bytes of one."""

    most: int = 100
    bytes: int = 64 * 1024


PROFILE_LIMITS = ProfileLimits()


@dataclass(frozen=True, slots=True)
class PutDone:
    """What a put led to; revision: "" when nothing was changed."""

    profile: KnownProfile
    created: bool
    revision: str = ""


class Profiles:
    """The profiles of a registry. Stored ones are read when they are asked for, so that all servers know the same."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        limits: ProfileLimits = PROFILE_LIMITS,
        files: Mapping[str, Profile] | None = None,
    ) -> None:
        """files: the profiles of the server's files, by id."""
        self._store, self._clock, self._limits = store, clock, limits
        self._fixed = {name: KnownProfile(profile, BUILT_IN) for name, profile in shipped().items()}
        self._fixed |= {name: KnownProfile(profile, FILE) for name, profile in (files or {}).items()}
        self._read: dict[str, tuple[ProfileMark, KnownProfile]] = {}

    async def all(self) -> Mapping[str, KnownProfile]:
        """All of them by id, in the order of their ids."""
        async with self._store.read() as tx:
            return await self.all_in(tx)

    async def all_in(self, tx: ReadTx) -> Mapping[str, KnownProfile]:
        """As `all`, in a transaction."""
        marks = await tx.profile_marks()
        found = {mark.id: await self._stored(tx, mark) for mark in marks if mark.id not in self._fixed}
        for gone in self._read.keys() - found.keys():
            del self._read[gone]
        known = {**self._fixed, **{name: p for name, p in found.items() if p is not None}}
        return dict(sorted(known.items()))

    async def one(self, profile: str) -> KnownProfile:
        """Raises ProfileNotFound."""
        return (await self.some([profile]))[0]

    async def some(self, profiles: Sequence[str]) -> Sequence[KnownProfile]:
        """Those with these ids, each once, in this order; all for none. Raises ProfileNotFound."""
        known = await self.all()
        for name in profiles:
            if name not in known:
                raise ProfileNotFound(name, tuple(known))
        return [known[name] for name in dict.fromkeys(profiles)] if profiles else list(known.values())

    async def put(self, profile: str, document: str, by: Actor, *, dry_run: bool = False) -> PutDone:
        """Add a profile, or put it in the place of one with a smaller version; nothing is changed when the same is there.

        Raises InvalidRequest for what is no profile, LimitExceeded for one more than there may be, ConcurrentUpdate.
        """
        size = len(document.encode("utf-8", "surrogatepass"))
        if size > self._limits.bytes:
            raise InvalidRequest(
                "document",
                f"is {size} bytes long; the limit is {self._limits.bytes} (setting providers.profile_bytes)",
            )
        made = await asyncio.to_thread(_read, document)
        if made.id != profile:
            raise InvalidRequest(
                "profile", f"is {profile[:80]!r}, but the document has the id {made.id!r}; give both the same"
            )
        self._demand_own(profile)
        now = self._clock()
        stored = StoredProfile(made.id, made.version, document, by.name, now)
        known = KnownProfile(made, STORED, by.name, now)
        async with self._store.write() as tx:
            before = {mark.id: mark for mark in await tx.profile_marks()}
            if made.id in before:
                same = await self._stored(tx, before[made.id])
                if same is not None and same.profile.document == made.document:
                    return PutDone(same, created=False)
                if made.version <= before[made.id].version:
                    raise InvalidRequest(
                        "document",
                        f"has version {made.version}, and version {before[made.id].version} of {made.id!r} is stored and is another one; "
                        "give it a greater version",
                    )
            elif len(before) >= self._limits.most:
                raise LimitExceeded(
                    f"there are {len(before)} stored profiles, and no more than {self._limits.most} may be (setting "
                    "providers.profiles); delete those that nobody needs",
                    setting="providers.profiles",
                )
            created = made.id not in before
            if dry_run:
                return PutDone(known, created)
            await tx.put_profile(stored)
            digest = hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()
            noted = {"profile": made.id, "profile_version": str(made.version), "sha256": digest}
            sequence = await _record(tx, made.id, by, now, noted)
        return PutDone(known, created, format_revision(self._store.registry_id, sequence))

    async def delete(self, profile: str, by: Actor) -> str:
        """Answers with the revision. Raises ProfileNotFound."""
        self._demand_own(profile)
        if not is_profile_id(profile):
            raise ProfileNotFound(profile)
        async with self._store.write() as tx:
            if not await tx.remove_profile(profile):
                raise ProfileNotFound(profile)
            noted = {"profile": profile, "profile_version": "deleted"}
            sequence = await _record(tx, profile, by, self._clock(), noted)
        return format_revision(self._store.registry_id, sequence)

    def _demand_own(self, profile: str) -> None:
        """Raises InvalidRequest unless it may be put and deleted."""
        fixed = self._fixed.get(profile)
        if fixed is not None and fixed.origin == FILE:
            raise InvalidRequest(
                "profile",
                f"{profile!r} comes from a file of the server (setting providers.files); change it there",
            )
        if fixed is not None or profile in _RESERVED:
            raise InvalidRequest("profile", f"{profile!r} is built in; give yours another id")

    async def _stored(self, tx: ReadTx, mark: ProfileMark) -> KnownProfile | None:
        """None for one that was removed since, or that this server cannot read."""
        kept = self._read.get(mark.id)
        if kept is not None and kept[0] == mark:
            return kept[1]
        stored = await tx.stored_profile(mark.id)
        if stored is None:
            return None
        try:
            profile = await asyncio.to_thread(_read, stored.document)
        except InvalidRequest:  # written by a newer server: whoever asks for it is told that there is none
            return None
        known = KnownProfile(profile, STORED, stored.put_by, stored.put_at)
        self._read[mark.id] = stored.mark, known
        return known


def _read(document: str) -> Profile:
    """Raises InvalidRequest that names the document."""
    try:
        profile = read_profile(document.encode("utf-8", "surrogatepass"))
        _demand_texts(profile)
    except InvalidRequest as error:
        said = error.violations[0].description if error.violations else error.message
        raise InvalidRequest("document", said) from error
    return profile


def _demand_texts(profile: Profile) -> None:
    """Raises InvalidRequest for texts that no answer can hold: JSON can write halves of characters."""
    try:
        text = json.dumps(profile.document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("profile", "holds half of a surrogate pair, which is not a character") from error
    if _NUL.search(text):
        raise InvalidRequest("profile", "holds a NUL character; leave it out")


def read_files(names: Iterable[str]) -> Mapping[str, Profile]:
    """The profiles of the server's files, by id. Raises Unavailable for a file that cannot be used."""
    contents: dict[str, bytes] = {}
    try:
        for name in names:
            with Path(name).open("rb") as opened:
                contents[name] = opened.read(MOST_BYTES + 1)
        return files_of(contents)
    except (OSError, ValueError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise Unavailable(f"providers.files: {why}") from error


def files_of(contents: Mapping[str, bytes]) -> Mapping[str, Profile]:
    """The profiles of files, by id; contents: by the files' names. Raises ValueError that names the file."""
    found: dict[str, Profile] = {}
    for name, content in contents.items():
        try:
            profile = read_profile(content)
            _demand_texts(profile)
        except InvalidRequest as error:
            raise ValueError(f"{name}: {error.message}") from error
        if profile.id in shipped() or profile.id in _RESERVED:
            raise ValueError(f"{name}: the profile {profile.id!r} is built in; give yours another id")
        if profile.id in found:
            raise ValueError(f"{name}: another file has a profile {profile.id!r}, too")
        found[profile.id] = profile
    return found


def check_names(names: Sequence[str], field: str) -> None:
    """Raises InvalidRequest for texts that cannot be ids of profiles."""
    for place, name in enumerate(names):
        if not is_profile_id(name):
            raise InvalidRequest(
                f"{field}[{place}]",
                f"{name[:80]!r} is no id of a profile: 1 to 64 lower case letters, digits, dots and hyphens",
            )


async def _record(tx: WriteTx, profile: str, by: Actor, at: datetime, noted: Mapping[str, str]) -> int:
    return await tx.append_change(
        Change(
            event_type=EventType.CONFIG_UPDATED,
            subject=None,
            schema_id="",
            version="",
            ordinal=0,
            at=at,
            actor=by.name,
            correlation_id=by.correlation_id,
            metadata={"scope": f"{SCOPE}{profile}"},
            noted=noted,
        )
    )
