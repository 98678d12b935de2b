"""Which engines these are: what tells verdicts of one build from those of another, in caches that outlive both."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_LIBRARIES = ("grpcio-tools", "jsonschema-rs", "protobuf")
"""Whose verdicts and fingerprints are ours, too."""


@cache
def revision() -> str:
    """16 hexadecimal digits: another number when any module of the engines, or a library that they rest on, is another one."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(_ROOT.rglob("*.py")):
        digest.update(f"{file.relative_to(_ROOT).as_posix()}\0".encode())
        digest.update(hashlib.blake2b(file.read_bytes()).digest())
    for library in _LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""
