"""Debian's Prometheus, promtool and amtool: for pages, rules and a real scrape. `scripts/prometheus-tools` brings them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from .ports import HeldPort
from .processes import run

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools" / "usr" / "bin"
WAIT_SECONDS = 60.0

Ask = Callable[[str], list[tuple[Mapping[str, str], float]]]
"""Answers a query with label sets and values."""


# One for all: to make a client takes longer than to ask.
_CLIENT = httpx.Client(trust_env=False, verify=False, timeout=60)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs. Called with a query, it answers with label sets and values."""

    url: str

    def __call__(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        # While it starts it answers 503, in plain text.
        got = _CLIENT.get(f"{self.url}/api/v1/query", params={"query": query})
        answer = got.raise_for_status().json()
        assert answer["status"] == "success", answer
        return [(found["metric"], float(found["value"][1])) for found in answer["data"]["result"]]


def tool(name: str) -> str:
    """The path of a tool; brought here by the script when it is not on the machine."""
    found = shutil.which(name, path=os.pathsep.join([str(TOOLS), os.environ.get("PATH", "")]))
    if found is None:
        subprocess.run([str(ROOT / "scripts" / "prometheus-tools")], check=True, timeout=600)
        found = str(TOOLS / name)
    return found


def run_tool(
    name: str, *arguments: str, stdin: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end."""
    return subprocess.run(
        [tool(name), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@contextmanager
def prometheus(home: Path, targets: str | Sequence[str], rules: Path | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the targets (host:port, or several of them) each second, and has done so once. rules: a file, or a
    pattern of files."""
    scraped = [targets] if isinstance(targets, str) else [*targets]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)] if rules else [],
        "scrape_configs": [{"job_name": "schema-registry", "static_configs": [{"targets": scraped}]}],
    }
    file = home / "prometheus.json"  # JSON is YAML
    file.write_text(json.dumps(config))
    port = HeldPort()
    with (home / "prometheus.log").open("wb") as log:
        process = run().spawn(
            [
                tool("prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={home / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )

    ask = Prometheus(f"http://127.0.0.1:{port}")
    try:
        end = time.monotonic() + WAIT_SECONDS
        while not _scraped(ask):
            assert time.monotonic() < end, (home / "prometheus.log").read_text()[-3000:]
            time.sleep(0.2)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def _scraped(ask: Ask) -> bool:
    try:
        up = ask("up")
        return bool(up) and all(value == 1 for _, value in up)
    except httpx.HTTPError:
        return False
