"""The command that writes what the registry holds into a folder, from which `import` reads it back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeVar

import typer

from ..._coalescing import MOST
from ..._sync_client import SchemaRegistry
from ...errors import NotFound
from ...results import SchemaInfo
from .. import manifest, pulled_settings
from .. import options as o
from ..manifest import Entry
from ..progress import shown
from ..pulled_settings import of_subject, of_wider_scopes
from ..restoring import PULLED
from ..session import session
from ..text import counted

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Pulled:
    """What was written so far, by schema id."""

    folder: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    ordinals: dict[str, int] = field(default_factory=dict)
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, version: SchemaInfo, *, plain_name: bool) -> None:
        if version.id in self.entries:
            return
        found = manifest.entry(version, plain_name=plain_name)
        file = self.folder / found.path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as stream:
            stream.write(version.content)
        self.entries[version.id] = found
        self.ordinals[version.id] = version.ordinal
        self.uses[version.id] = tuple(r.schema_id for r in version.references)

    def missing(self) -> set[str]:
        """Ids of what is referenced and not yet here."""
        return {used for ids in self.uses.values() for used in ids} - self.entries.keys()

    def in_order(self) -> list[Entry]:
        """The entries, each after those that it references and after the earlier versions of its subject."""
        order = TopologicalSorter(self.uses)
        by_place = sorted(self.entries, key=lambda i: (self.entries[i].subject, self.ordinals[i]))
        for earlier, later in pairwise(by_place):
            if self.entries[earlier].subject == self.entries[later].subject:
                order.add(later, earlier)
        return [self.entries[i] for i in order.static_order()]


def pull(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write; made if need be.")],
    subjects: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUBJECT",
            help="Only these; every subject when left out.",
            autocompletion=o.complete_subject,
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="PREFIX", help="Only subjects that begin so.")
    ] = "",
    all_versions: Annotated[
        bool, typer.Option("--all-versions", "-a", help="Every version instead of the latest.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write into a folder that holds files; replaces those pulled before."),
    ] = False,
    parallel: Annotated[
        int, typer.Option("--parallel", "-p", min=1, max=64, metavar="N", help="Calls at a time.")
    ] = 4,
) -> None:
    """Write schemas into a folder that `import` reads back.

    The latest version of each subject, or every one, with all that they reference: shop.Order is
    FOLDER/shop/Order.proto. manifest.jsonl says which subject, version, references and state each file has, settings.json what
    was set; `import --restore` brings all of it back. With --all-versions drafts, registered and archived versions are written
    too. All is written, or nothing.

    Examples:

    \b
      schema-registry pull schemas/
      schema-registry pull schemas/ --prefix shop. --force
      schema-registry pull backup/ --all-versions
    """
    s = session(context)
    _refuse_files(folder, force=force)
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary,
        s.registry() as client,
    ):
        names = [s.subject(name) for name in subjects or ()] or list(
            client.iter_subjects(prefix=s.subject(prefix) or None, limit=1000)
        )
        if not names:
            raise typer.BadParameter("the registry holds no such subject", param_hint="SUBJECT")
        done = _Pulled(Path(temporary) / "new")
        fetch = _every_version if all_versions else _latest
        steps = _parallel(lambda name: fetch(client, name), names, parallel)
        with closing(
            shown(s, "pulling", len(names), steps, lambda found: found[0].subject if found else "")
        ) as rows:
            for versions in rows:
                for version in versions:
                    done.add(version, plain_name=not all_versions)
        while missing := done.missing():
            for wanted in _parts(sorted(missing)):
                for found in client.get_many(wanted):
                    done.add(found.get(), plain_name=False)
        entries = done.in_order()
        done.folder.mkdir(exist_ok=True)
        (done.folder / manifest.NAME).write_text(
            "".join(f"{entry.line()}\n" for entry in entries), encoding="utf-8"
        )
        scopes = list(_parallel(partial(of_subject, client), sorted({e.subject for e in entries}), parallel))
        if not subjects and not prefix:
            scopes += of_wider_scopes(client, names)
        (done.folder / pulled_settings.NAME).write_text(pulled_settings.text(scopes), encoding="utf-8")
        _move(done.folder, folder)
    count = len({entry.subject for entry in entries})
    rows_ = [{"path": str(e.path), "subject": e.subject, "version": e.version} for e in entries]
    s.output.result(
        {"folder": str(folder), "versions": rows_},
        lambda: [f"{counted(len(entries), 'version')} of {counted(count, 'subject')} written to {folder}"],
    )


def _refuse_files(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is no folder", param_hint="FOLDER")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise typer.BadParameter(
            f"{folder} holds files; give an empty folder, or --force to replace what was pulled before",
            param_hint="FOLDER",
        )


def _latest(client: SchemaRegistry, subject: str) -> list[SchemaInfo]:
    """The version that "latest" names; none where a subject has only drafts or archived versions."""
    try:
        return [client.get_latest_version(subject)]
    except NotFound:
        client.get_subject_versions(subject)  # tells a subject that does not exist
        return []


def _every_version(client: SchemaRegistry, subject: str) -> list[SchemaInfo]:
    versions = client.get_subject_versions(subject)
    wanted = [v.schema_id for v in versions if v.state in PULLED]
    return [found.get() for part in _parts(wanted) for found in client.get_many(part)]


def _parts(schema_ids: list[str]) -> Iterator[list[str]]:
    """As many as one call may ask for."""
    return (schema_ids[n : n + MOST] for n in range(0, len(schema_ids), MOST))


def _parallel(do: Callable[[T], R], items: Iterable[T], parallel: int) -> Iterator[R]:
    """The results in the order of the items; only a few are fetched ahead of who takes them."""
    queue = iter(items)
    with ThreadPoolExecutor(parallel, "pull") as pool:
        ahead = deque(pool.submit(do, item) for item in islice(queue, 2 * parallel))
        try:
            while ahead:
                result = ahead.popleft().result()
                ahead.extend(pool.submit(do, item) for item in islice(queue, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _move(new: Path, folder: Path) -> None:
    """Put the files in their place; what an earlier pull wrote and this one did not, is removed if nobody edited it."""
    if not folder.exists() or not any(folder.iterdir()):
        if folder.exists():
            folder.rmdir()
        shutil.move(new, folder)
        return
    old = folder / manifest.NAME
    if old.exists():
        for entry in manifest.read(old.read_bytes(), str(old)):
            _remove_if_unchanged(folder, entry, new)
    files = [p for p in new.rglob("*") if p.is_file()]
    for file in files:
        place = folder / file.relative_to(new)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)


def _remove_if_unchanged(folder: Path, entry: Entry, new: Path) -> None:
    path = PurePosixPath(entry.path)
    if path.is_absolute() or ".." in path.parts:
        raise typer.BadParameter(f"{folder / manifest.NAME} names {path}, which is not in the folder")
    file = folder / path
    if file.is_file() and not (new / path).exists() and entry.describes(file.read_bytes()):
        file.unlink()


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(pull)
