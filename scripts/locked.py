"""Prints the part of requirements.lock that an installation needs: versions and hashes as they are there.

    locked.py --extra all                 what llm-schema-registry[all] needs (`--extra ""`: the bare package)
    locked.py --package hatchling         a package and what it needs
    locked.py --beside integrations.lock  what that lock has beside requirements.lock; fails where both have a package in two versions

Needs nothing but Python, so that an image can be built with it. Who needs a package is told by the lock itself
(`# via ...`); what only an extra of a package needs counts as needed by the package, so that the part may hold more than is
installed, never less.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = "llm-schema-registry"

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)
_NAME = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^]]*)\])?")


def canonical(name: str) -> str:
    """The name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def blocks(lock: str) -> dict[str, str]:
    """The text of each pinned package, by its name."""
    return {name_of(text): text for text in texts(lock)}


def name_of(text: str) -> str:
    """The package of a text."""
    return canonical(_PINNED.match(text)[1])  # type: ignore[index]


def texts(lock: str) -> list[str]:
    """The text of each pinned package; one that has several versions, for several versions of Python, has several."""
    starts = [match.start() for match in _PINNED.finditer(lock)]
    return [lock[a:b] for a, b in zip(starts, [*starts[1:], len(lock)], strict=True)]


def needed_by(block: str) -> set[str]:
    """The packages that a block says it is there for."""
    _, _, told = block.partition("# via")
    lines = (line.strip().lstrip("#").strip() for line in told.splitlines())
    return {canonical(line.split()[0].partition("[")[0]) for line in lines if line}


def direct(project: Mapping[str, object], extra: str) -> set[str]:
    """What the project itself asks for with an extra, with the extras that this one names."""
    lists = project["optional-dependencies"]
    assert isinstance(lists, dict)
    wanted: list[str] = list(project["dependencies"])  # type: ignore[call-overload]
    found: set[str] = set()
    seen: set[str] = set()
    if extra:
        wanted.append(f"{PROJECT}[{extra}]")
    while wanted:
        name, extras = _NAME.match(wanted.pop()).groups()  # type: ignore[union-attr]
        if canonical(name) != PROJECT:
            found.add(canonical(name))
            continue
        for more in filter(None, map(str.strip, (extras or "").split(","))):
            if more not in seen:
                seen.add(more)
                wanted += lists[more]
    return found


def closure(locked: Mapping[str, str], roots: Iterable[str]) -> list[str]:
    """The roots and all that is needed by them, sorted. Raises KeyError for a root that is not locked."""
    found = {name: locked[name] for name in roots}
    while True:
        more = {n: text for n, text in locked.items() if n not in found and needed_by(text) & found.keys()}
        if not more:
            return sorted(found)
        found |= more


def beside(other: str, lock: str) -> list[str]:
    """The texts of the packages that only the other lock has. Exits where it has one in a version that this lock has not."""
    version = re.compile(r"==([^ ;\\]+)")
    known: dict[str, set[str]] = {}
    for text in texts(lock):
        known.setdefault(name_of(text), set()).update(version.findall(text)[:1])
    found = [text for text in texts(other) if name_of(text) not in known]
    differing = {
        name_of(text)
        for text in texts(other)
        if name_of(text) in known and version.findall(text)[0] not in known[name_of(text)]
    }
    if differing:
        sys.exit(f"the locks have other versions of {', '.join(sorted(differing))}: make lock")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--extra")
    what.add_argument("--package", action="append")
    what.add_argument("--beside", type=Path)
    options = parser.parse_args()
    lock = (ROOT / "requirements.lock").read_text()
    if options.beside:
        for text in beside((ROOT / options.beside).read_text(), lock):
            print(text.rstrip())
        return
    locked = blocks(lock)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    roots = set(map(canonical, options.package)) if options.package else direct(project, options.extra or "")
    missing = sorted(roots - locked.keys())
    if missing:
        sys.exit(f"requirements.lock lacks {', '.join(missing)}: make lock")
    for name in closure(locked, roots):
        print(locked[name].rstrip())


if __name__ == "__main__":
    main()
