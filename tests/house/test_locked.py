"""The parts of requirements.lock that images and releases are made of hold all that pip would install, as it is locked."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


def locked(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "locked.py", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(text: str) -> set[str]:
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def needed(extra: str) -> set[str]:
    """What an installation with an extra needs here, by what the installed packages themselves say."""
    found: set[str] = set()
    open_ = [Requirement(f"llm-schema-registry[{extra}]")]
    while open_:
        wanted = open_.pop()
        name = canonicalize_name(wanted.name)
        if name in found and not wanted.extras:
            continue
        found.add(name)
        for line in requires(distribution(name).name) or ():
            more = Requirement(line)
            if more.marker is None or any(
                more.marker.evaluate({"extra": extra}) for extra in (wanted.extras or {""})
            ):
                open_.append(more)
    return found - {"llm-schema-registry"}


@pytest.mark.parametrize("extra", ["engines", "server", "postgres", "redis", "s3", "all"])
def test_a_part_holds_what_an_installation_needs(extra: str) -> None:
    part = names(locked("--extra", extra))
    assert needed(extra) <= part
    assert not part & {"pytest", "mypy", "moto", "hypothesis", "ruff"}


def test_a_part_is_as_it_is_in_the_lock() -> None:
    part = locked("--extra", "all")
    assert part.count("--hash=sha256:") > 500
    for block in re.split(r"^(?=[A-Za-z0-9])", part, flags=re.MULTILINE):
        assert block.strip() in LOCK
    assert "://" not in LOCK + (ROOT / "tools.lock").read_text() + (ROOT / "integrations.lock").read_text()


def test_a_package_comes_with_what_it_needs() -> None:
    assert {"hatchling", "pathspec", "pluggy"} <= names(locked("--package", "hatchling"))


def test_a_package_that_is_not_locked_is_told() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "locked.py", "--package", "left-pad"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode != 0
    assert "requirements.lock lacks left-pad" in done.stderr


def test_the_libraries_beside_are_those_that_are_not_locked_already() -> None:
    part = names(locked("--beside", "integrations.lock"))
    assert {"openai", "anthropic", "langchain-core", "fastapi"} <= part
    assert part & names(LOCK) == set()


def test_a_package_in_two_versions_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.lock"
    other.write_text("left-pad==1.0 \\\n    --hash=sha256:0\npydantic==1.0 \\\n    --hash=sha256:0\n")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "locked.py", "--beside", other], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode != 0
    assert "other versions of pydantic: make lock" in done.stderr
