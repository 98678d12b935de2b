"""A registry as one file: everything of any back end, to be imported into any other with the same ids and revisions.

A gzip stream of JSON lines. The first tells the format and the registry, the last counts the lines before it and has
their SHA-256: a truncated or altered archive is refused as a whole. See docs/storage.md for the lines.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, BinaryIO, TypeVar

import orjson

from ..errors import Code, ConcurrentUpdate, RegistryError, StorageDamaged
from ..model.lifecycle import Transition
from ..model.schema import StoredContent
from ..model.subject import DEFAULT_CONTEXT
from . import access_rows, credential_rows, profile_rows, rows, unreadable
from .portable import DumpTx, PortableStore, RestoreTx
from .unreadable import note
from .values import Page, SchemaFilter

FORMAT = 5
"""What is written. Read, too: format 1, which had one number for a content in all contexts, format 2, which had no cursors, and
format 3, which had no credentials."""
UNREADABLE = "unreadable"
_BATCH = 500
_LONGEST_LINE = 256 * 1024 * 1024
_EVERY = 1000
Progress = Callable[[str, int], None]
"""Called after every so many lines of a kind, with the kind and their number."""

Key = TypeVar("Key", int, str, tuple[str, int], tuple[str, str, str])
Item = TypeVar("Item")


class StoreNotEmpty(RegistryError):
    """An archive goes into an empty storage only. Not in errors: no caller of the API ever sees it."""

    code = Code.FAILED_PRECONDITION
    reason = "STORE_NOT_EMPTY"

    def __init__(self) -> None:
        super().__init__("the storage holds a registry already; import into an empty one")


class _Writer:
    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        # A fixed time in the header: the same registry gives the same bytes.
        self._file = gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="")
        self._digest = hashlib.sha256()
        self._progress = progress
        self.counts: Counter[str] = Counter()

    def put(self, kind: str, **cells: Any) -> None:
        line = orjson.dumps({"kind": kind, **cells}) + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self.counts[kind] += 1
        if self.counts[kind] % _EVERY == 0:
            self._progress(kind, self.counts[kind])

    def end(self) -> None:
        last = {"kind": "end", "counts": dict(self.counts), "sha256": self._digest.hexdigest()}
        self._file.write(orjson.dumps(last) + b"\n")
        self._file.close()


async def export_archive(store: PortableStore, file: BinaryIO, progress: Progress) -> Mapping[str, int]:
    """Write everything that `store` holds at this moment and that can be read; returns the number of lines of each kind, and
    under UNREADABLE how often something was left out, if it was: the log names it."""
    left_out = sum(unreadable.counts().values())
    out = _Writer(file, progress)
    async with store.dump() as tx:
        oldest, newest = await tx.change_bounds()
        out.put("archive", format=FORMAT, registry_id=store.registry_id, oldest=oldest, newest=newest)
        async for scope, config in _pages(tx.configs, "", _first):
            out.put("config", scope=scope, settings=orjson.loads(rows.config_cell(config)))
        async for context, number, identity in _pages(tx.global_ids, ("", 0), lambda item: item[:2]):
            out.put("global_id", context=context, global_id=number, identity=identity)
        async for subject, last in _pages(tx.ordinals, "", _first):
            out.put("ordinal", subject=subject, last=last)
        await _export_versions(tx, out)
        for cursor in await tx.cursors():
            out.put("cursor", name=cursor.name, sequence=cursor.sequence)
        async for key in _pages(tx.api_keys, "", attrgetter("name")):
            out.put("api_key", **_named(credential_rows.KEY_COLUMNS, credential_rows.key_row(key)))
        async for token in _pages(tx.revoked_tokens, "", attrgetter("token_id")):
            out.put(
                "revoked_token", **_named(credential_rows.REVOKED_COLUMNS, credential_rows.revoked_row(token))
            )
        async for grant in _pages(
            tx.grants, ("", "", ""), lambda stored: access_rows.grant_key(stored.grant)
        ):
            out.put(
                "grant", **dict(zip(access_rows.GRANT_COLUMNS, access_rows.grant_row(grant), strict=True))
            )
        policies = await tx.policies()
        if policies is not None:
            row = access_rows.policies_row(policies)
            out.put("policies", **dict(zip(access_rows.POLICIES_COLUMNS, row, strict=True)))
        for mark in await tx.profile_marks():
            profile = await tx.stored_profile(mark.id)
            if profile is not None:
                row = profile_rows.profile_row(profile)
                out.put("profile", **dict(zip(profile_rows.PROFILE_COLUMNS, row, strict=True)))
        async for change in _pages(tx.changes, 0, lambda change: change.sequence):
            out.put(
                "change", sequence=change.sequence, **_named(rows.CHANGE_COLUMNS, rows.change_row(change))
            )
    out.end()
    left_out = sum(unreadable.counts().values()) - left_out
    return {**out.counts, **({UNREADABLE: left_out} if left_out else {})}


def _named(columns: Sequence[str], row: rows.Row) -> dict[str, Any]:
    """Cells by column; those in `facts` as they are, not as text."""
    cells = dict(zip(columns, row, strict=True))
    return {**cells, "facts": orjson.loads(cells["facts"])}


async def _content(tx: DumpTx, identity: str) -> StoredContent | None:
    """None, which is noted, for one that is damaged or missing."""
    try:
        found = (await tx.contents([identity])).get(identity)
        if found is None:
            raise StorageDamaged(
                f"the content of {identity} is missing; restore it from a backup",
                table="contents",
                key=identity,
            )
    except StorageDamaged as error:
        note(error)
        return None
    return found


async def _export_versions(tx: DumpTx, out: _Writer) -> None:
    written: set[str] = set()
    after: tuple[str, int] | None = None
    everything = SchemaFilter(include_deleted=True)
    while batch := await tx.scan_versions(everything, Page(_BATCH, after=after)):
        for version in batch:
            if version.identity not in written:
                content = await _content(tx, version.identity)
                if content is None:
                    continue  # without its content a version is of no use: neither is written
                written.add(version.identity)
                out.put("content", identity=version.identity, digest=content.digest, **_encoded(content))
            cells = dict(zip(rows.VERSION_COLUMNS, rows.version_row(version), strict=True))
            out.put(
                "version",
                **{**cells, "origin": orjson.loads(cells["origin"]), "about": orjson.loads(cells["about"])},
                names=sorted(await tx.names(version.schema_id)),
                history=[
                    {"from": row[1], "to": row[2], "at": row[3], **orjson.loads(row[4])}
                    for step in await tx.history(version.schema_id)
                    for row in rows.transition_rows([step])
                ],
            )
        after = (str(batch[-1].subject), batch[-1].ordinal)


async def import_archive(store: PortableStore, file: BinaryIO, progress: Progress) -> Mapping[str, int]:
    """Fill an empty store from an archive, all of it or nothing; returns the number of lines of each kind.

    Raises StoreNotEmpty, and StorageDamaged for what is not a whole archive.
    """
    lines = _Lines(file)
    header = lines.take()
    if header.get("kind") != "archive" or header.get("format") not in _RESTORE:
        raise lines.fault(f"it is not an archive of format {' or '.join(map(str, sorted(_RESTORE)))}")
    restore = _RESTORE[header["format"]]()
    async with store.restore() as tx:
        await _refuse_filled(tx)
        await tx.restore_registry_id(lines.cell(header, "registry_id", str))
        while (line := lines.take())["kind"] != "end":
            try:
                await restore[line["kind"]](tx, line)
            except (KeyError, TypeError, ValueError, ConcurrentUpdate, StorageDamaged) as error:
                raise lines.fault(f"it cannot be restored ({error!r})") from error
            if lines.counts[line["kind"]] % _EVERY == 0:
                progress(line["kind"], lines.counts[line["kind"]])
        lines.check(line)
        await tx.finish_restore(lines.cell(header, "oldest", int))
    return dict(lines.counts)


async def _refuse_filled(tx: RestoreTx) -> None:
    if await tx.count_versions(SchemaFilter(include_deleted=True)) or (await tx.change_bounds()) != (0, 0):
        raise StoreNotEmpty()


class _Lines:
    """The lines of an archive, with their counts and digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._digest = hashlib.sha256()
        self._before = self._digest
        self.counts: Counter[str] = Counter()

    def take(self) -> dict[str, Any]:
        raw = self._line()
        self._before = self._digest.copy()
        self._digest.update(raw)
        if not raw.endswith(b"\n"):
            raise self.fault("the archive ends in the middle")
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise self.fault(f"it is not JSON ({error})") from error
        if not isinstance(line, dict) or line.get("kind") not in ("archive", "end", *_KINDS):
            raise self.fault("it is of no known kind")
        if line["kind"] != "end":
            self.counts[line["kind"]] += 1
        return line

    def _line(self) -> bytes:
        try:
            return self._file.readline(_LONGEST_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise self.fault(f"it cannot be unpacked ({error})") from error

    def check(self, last: Mapping[str, Any]) -> None:
        """Whether `last`, the line just taken, agrees with all before it."""
        if last.get("counts") != dict(self.counts) or last.get("sha256") != self._before.hexdigest():
            raise self.fault("the lines before it are not those that were written")
        if self._line():
            raise self.fault("something follows the end")

    def cell(self, line: Mapping[str, Any], name: str, kind: type[Item]) -> Item:
        value = line.get(name)
        if not isinstance(value, kind):
            raise self.fault(f"{name} is missing or of the wrong type")
        return value

    def fault(self, what: str) -> StorageDamaged:
        return StorageDamaged(
            f"the archive cannot be imported: line {self.counts.total()}: {what}; make a new export"
        )


async def _restore_config(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    scope = line["scope"]
    await tx.set_config(scope, rows.config_of(scope, rows.dump(line["settings"])))


async def _restore_global_id(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    await tx.restore_global_id(line["context"], line["global_id"], line["identity"])


async def _restore_ordinal(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    await tx.restore_ordinal(line["subject"], line["last"])


async def _restore_content(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    content = _decoded(line)
    if hashlib.sha256(content.content).hexdigest() != content.digest:
        raise ValueError(f"the content of {line['identity']} does not have its digest")
    await tx.put_content(line["identity"], content)


async def _restore_version(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    cells = {**line, "origin": rows.dump(line["origin"]), "about": rows.dump(line["about"])}
    version = rows.version_of([cells[column] for column in rows.VERSION_COLUMNS])
    await tx.insert_version(version, line["names"])
    steps: list[Transition] = []
    for step in line["history"]:
        facts = {k: step[k] for k in ("trigger", "actor", "reason", "metadata")}
        steps += rows.transitions_of(
            [version.schema_id, step["from"], step["to"], step["at"], rows.dump(facts)]
        )
    await tx.record_transitions(steps)


async def _restore_change(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    cells = {**line, "facts": rows.dump(line["facts"])}
    await tx.restore_change(rows.change_of([cells[c] for c in ("sequence", *rows.CHANGE_COLUMNS)]))


async def _restore_cursor(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    if not isinstance(line["sequence"], int):
        raise TypeError("sequence is not a number")
    await tx.set_cursor(line["name"], line["sequence"])


async def _restore_api_key(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    cells = {**line, "facts": rows.dump(line["facts"])}
    await tx.insert_api_key(credential_rows.key_of([cells[c] for c in credential_rows.KEY_COLUMNS]))


async def _restore_revoked_token(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    cells = {**line, "facts": rows.dump(line["facts"])}
    await tx.put_revoked_token(
        credential_rows.revoked_of([cells[c] for c in credential_rows.REVOKED_COLUMNS])
    )


async def _restore_grant(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    await tx.put_grant(access_rows.grant_of([line[c] for c in access_rows.GRANT_COLUMNS]))


async def _restore_policies(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    await tx.add_policies(access_rows.policies_of([line[c] for c in access_rows.POLICIES_COLUMNS]))


async def _restore_profile(tx: RestoreTx, line: Mapping[str, Any]) -> None:
    await tx.put_profile(profile_rows.profile_of([line[c] for c in profile_rows.PROFILE_COLUMNS]))


_Restore = Callable[[RestoreTx, Mapping[str, Any]], Awaitable[None]]
_KINDS: Mapping[str, _Restore] = {
    "config": _restore_config,
    "global_id": _restore_global_id,
    "ordinal": _restore_ordinal,
    "content": _restore_content,
    "version": _restore_version,
    "change": _restore_change,
    "cursor": _restore_cursor,
    "api_key": _restore_api_key,
    "revoked_token": _restore_revoked_token,
    "grant": _restore_grant,
    "policies": _restore_policies,
    "profile": _restore_profile,
}


def _format_1() -> Mapping[str, _Restore]:
    """Global ids were assigned without regard to contexts; the versions of a context keep theirs, and it continues after them."""
    given: set[tuple[str, str]] = set()

    async def global_id(tx: RestoreTx, line: Mapping[str, Any]) -> None:
        await tx.restore_global_id(DEFAULT_CONTEXT, line["global_id"], line["identity"])

    async def version(tx: RestoreTx, line: Mapping[str, Any]) -> None:
        context = rows.subject_of(line["subject"]).context
        if context != DEFAULT_CONTEXT and (context, line["identity"]) not in given:
            given.add((context, line["identity"]))
            await tx.restore_global_id(context, line["global_id"], line["identity"])
        await _restore_version(tx, line)

    return {**_KINDS, "global_id": global_id, "version": version}


_RESTORE: Mapping[int, Callable[[], Mapping[str, _Restore]]] = {
    1: _format_1,
    2: lambda: _KINDS,
    3: lambda: _KINDS,
    4: lambda: _KINDS,
    FORMAT: lambda: _KINDS,
}
"""By format: what is done with each kind of line."""


def _encoded(content: StoredContent) -> dict[str, str]:
    parts = {"content": content.content, "canonical": content.canonical, "artifact": content.artifact}
    return {name: base64.b64encode(data).decode() for name, data in parts.items()}


def _decoded(line: Mapping[str, Any]) -> StoredContent:
    content, canonical, artifact = (
        base64.b64decode(line[name], validate=True) for name in ("content", "canonical", "artifact")
    )
    return StoredContent(content, line["digest"], canonical, artifact)


async def _pages(
    ask: Callable[[Key, int], Awaitable[Any]], after: Key, key_of: Callable[[Any], Key]
) -> AsyncIterator[Any]:
    while batch := await ask(after, _BATCH):
        for item in batch:
            yield item
        after = key_of(batch[-1])


def _first(item: tuple[Any, ...]) -> Any:
    return item[0]
