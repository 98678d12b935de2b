"""A package index that hands out another file than the one that was locked gets nothing installed (OWASP A06, A08)."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.api.server import ROOT

LOCKS = ("requirements.lock", "tools.lock")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def locked(lock: str) -> list[str]:
    """The blocks of a lock, one for each package."""
    text = (ROOT / lock).read_text()
    return [block for block in re.split(r"\n(?=[A-Za-z0-9])", text) if _PIN.match(block)]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_by_its_version_and_its_hashes(lock: str) -> None:
    blocks = locked(lock)
    assert len(blocks) > 20
    for block in blocks:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block.splitlines()[0]


def test_a_package_that_was_swapped_is_not_installed(tmp_path: Path) -> None:
    block = locked("requirements.lock")[0]
    found = _PIN.match(block)
    assert found is not None
    name, version = found[1].replace("-", "_"), found[2]
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(tmp_path / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "raise SystemExit('swapped')")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (tmp_path / "one.lock").write_text(block)
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check"]
    wanted = ["--find-links", str(tmp_path), "--target", str(tmp_path / "there"), "-r", "one.lock"]
    done = subprocess.run([*pip, *wanted], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "there" / f"{name}.py").exists()
