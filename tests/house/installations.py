"""Environments that hold the wheel of this project with the dependencies of one extra, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = "llm-schema-registry"


@dataclass(frozen=True)
class Installation:
    """An environment: its home, and how to run things in it."""

    home: Path

    @property
    def python(self) -> str:
        return str(self.home / "bin" / "python")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python ...` in the environment, in an empty folder."""
        return subprocess.run(
            [self.python, "-B", *command],
            cwd=self.home, env={"PATH": "", **environment}, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    def script(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What the console script `name` does."""
        program = (
            "import sys; from importlib.metadata import entry_points; sys.argv[0] = sys.argv.pop(1);"
            "(found,) = entry_points(group='console_scripts', name=sys.argv[0]); sys.exit(found.load()())"
        )
        return self.run("-c", program, name, *arguments, **environment)


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built without any index."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def linked(wheel: Path, extra: str, home: Path) -> Installation:
    """The wheel in an empty environment, with links to those packages of ours that the extra asks for: what pip would
    install, without an index."""
    venv.create(home, symlinks=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (ours,) = site.glob("*.dist-info")
    for found in _closure(_requirements(Distribution.at(ours), {extra}), set()):
        for file in found.files or ():
            target = site / file
            if ".." not in file.parts and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(os.fspath(found.locate_file(file)))
    return Installation(home)


def installed(wheel: Path, extra: str, home: Path) -> Installation:
    """The wheel as pip installs it from the index that is configured."""
    venv.create(home, symlinks=True, with_pip=True)
    wanted = f"{PROJECT}[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
    subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", wanted], check=True)
    return Installation(home)


def _closure(requirements: Sequence[Requirement], seen: set[tuple[str, str]]) -> Iterator[Distribution]:
    """The distributions that requirements need, each once for each of its extras."""
    for requirement in requirements:
        found = distribution(requirement.name)
        for extra in ("", *requirement.extras):
            key = (canonicalize_name(requirement.name), extra)
            if key not in seen:
                seen.add(key)
                yield found
                yield from _closure(_requirements(found, {extra}), seen)


def _requirements(found: Distribution, extras: set[str]) -> list[Requirement]:
    """What a distribution needs with these extras; those of our own that an extra takes over are resolved."""
    own = canonicalize_name(found.metadata["Name"])
    every = [Requirement(line) for line in found.requires or ()]
    done: set[str] = set()
    wanted: dict[str, Requirement] = {}
    while extras - done:
        extra = (extras - done).pop()
        done.add(extra)
        for requirement in every:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                if canonicalize_name(requirement.name) == own:
                    extras |= requirement.extras
                else:
                    wanted[str(requirement)] = requirement
    return list(wanted.values())
