"""Files as they are in a commit of git, read by the `git` command. Nothing is checked out."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import typer

from .inputs import TYPE_OF_SUFFIX

_REGULAR = b"100"
"""How the mode of a regular file begins; links and submodules are no schemas."""


def file_at(revision: str, file: Path) -> tuple[str, bytes] | None:
    """The name and the content of a file in a commit; None when it is not there.

    `revision` is a commit (`main`, `HEAD~1`), where the file has the path that it has now, or COMMIT:PATH with another
    path from the root of the repository. Raises typer.BadParameter for an unknown commit or where there is no repository.
    """
    commit, colon, path = revision.partition(":")
    folder = file.parent
    _verify(commit, folder)
    name = f"{commit}:{path}" if colon else f"{commit}:./{file.name}"
    ran = _git(folder, "cat-file", "blob", name, check=False)
    if ran.returncode == 0:
        return (name if colon else f"{commit}:{file}"), ran.stdout
    if colon:
        raise typer.BadParameter(f"there is no file {path} in {commit}", param_hint="--git")
    return None


def folder_at(revision: str, root: Path) -> dict[PurePosixPath, bytes]:
    """The schema files and the manifest under a folder in a commit, by their paths in it; none when it is not there."""
    if ":" in revision:
        raise typer.BadParameter(
            "for a folder give a commit such as main, without a path", param_hint="--git"
        )
    _verify(revision, root)
    listed = _git(root, "ls-tree", "-r", "-z", revision, "--", ".").stdout
    objects: list[tuple[PurePosixPath, bytes]] = []
    for entry in listed.split(b"\0"):
        head, _, raw = entry.partition(b"\t")
        path = PurePosixPath(raw.decode("utf-8", "surrogateescape"))
        if head.startswith(_REGULAR) and (
            path.suffix.lower() in TYPE_OF_SUFFIX or path.name == "manifest.jsonl"
        ):
            objects.append((path, head.split()[2]))
    return dict(zip((path for path, _ in objects), _contents(root, [o for _, o in objects]), strict=True))


def _contents(root: Path, objects: Sequence[bytes]) -> list[bytes]:
    """The blobs with these ids, by one process."""
    if not objects:
        return []
    out = _git(root, "cat-file", "--batch", stdin=b"\n".join(objects) + b"\n").stdout
    found, at = [], 0
    for _ in objects:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        found.append(out[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return found


def _verify(commit: str, folder: Path) -> None:
    ran = _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}", check=False
    )
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[0] if said else f"git knows no commit {commit!r}; a shallow clone may lack it (git fetch)"
        raise typer.BadParameter(why, param_hint="--git")


def _git(
    folder: Path, *arguments: str, stdin: bytes = b"", check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    try:
        ran = subprocess.run(["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=False)
    except FileNotFoundError as error:
        if error.filename == "git":
            raise typer.BadParameter("--git needs the command git, which is not installed") from error
        raise
    if check and ran.returncode:
        raise typer.BadParameter(ran.stderr.decode("utf-8", "replace").strip(), param_hint="--git")
    return ran
