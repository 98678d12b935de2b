"""The image, built for real and run as a container runtime would: its command as process 1 and user 1000 on a read-only root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry_server import __version__
from tests.support.ports import HeldPort
from tests.support.processes import run

ROOT = Path(__file__).parents[2]
TAG = "llm-schema-registry-test:of-pytest"
MOST_BYTES = 250_000_000
START_SECONDS = 120.0

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="scripts/image --offline and chroot need root"),
]


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", "--storage-driver", "vfs", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Image:
    root: Path
    """Its file system."""
    size: int
    """Bytes of all its files."""
    config: dict[str, Any] = field(repr=False)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Built, and removed afterwards."""
    done = subprocess.run(
        [ROOT / "scripts" / "image", "--offline", "--tag", TAG],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    container = buildah("from", "--pull-never", TAG)
    try:
        inspected = json.loads(buildah("inspect", "--type", "image", TAG))
        root = Path(buildah("mount", container))
        files = (path.lstat() for path in root.rglob("*"))
        yield Image(root, sum(found.st_size for found in files), inspected["Docker"]["config"])
    finally:
        buildah("rm", container)
        buildah("rmi", TAG)


class Container:
    """The image's command in namespaces of its own, but for the network."""

    def __init__(self, image: Image, place: Path, *arguments: str, **settings: str) -> None:
        self._image = image
        self.data = place / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        os.chown(self.data, 1000, 1000)
        for folder in (place, *place.parents):
            if folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o111)
        self.log = place / "log"
        self.environment = {
            **dict(line.split("=", 1) for line in image.config["Env"]),
            **{f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()},
        }
        script = (
            'set -eu; root=$1 data=$2; shift 2; mount --make-rprivate /; mount --bind "$root" "$root";'
            'mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/tmp";'
            'mount --bind "$data" "$root/data"; mount -o remount,bind,ro "$root";'
            'exec chroot --userspec=1000:1000 "$root" "$@"'
        )
        with self.log.open("wb") as log:
            self.process = run().spawn(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", image.root, self.data,
                 *self._command(*image.config["Entrypoint"], *(arguments or image.config["Cmd"]))],
                stdout=log, stderr=log,
            )  # fmt: skip

    def _command(self, *command: str) -> list[str]:
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return ["/usr/bin/env", "-i", f"--chdir={self._image.config['WorkingDir']}", *variables, *command]

    @property
    def first(self) -> int:
        """The number that its process 1 has outside."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def execute(self, *command: str, user: str = "1000:1000") -> subprocess.CompletedProcess[str]:
        """A command in it, as `docker exec` runs one."""
        return subprocess.run(
            ["nsenter", "--target", str(self.first), "--mount", "--pid", "--root", "chroot", f"--userspec={user}", "/",
             *self._command(*command)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def healthy(self) -> str:
        """What its health check says when it succeeds; fails when it does not in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            test = self._image.config["Healthcheck"]["Test"]
            assert test[0] == "CMD"
            found = self.execute(*test[1:])
            if found.returncode == 0:
                return found.stdout
            time.sleep(0.2)
        raise AssertionError(f"it is not healthy: {self.log.read_text()[-4000:]}")

    def stop(self) -> int:
        """The signal that the image names, to process 1; the exit code."""
        os.kill(self.first, signal.Signals[self._image.config["StopSignal"]])
        return self.process.wait(60)


def test_it_is_small_and_says_what_it_is(image: Image) -> None:
    assert image.size < MOST_BYTES
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert image.config["User"] == "1000:1000"
    assert image.config["StopSignal"] == "SIGTERM"
    assert set(image.config["ExposedPorts"]) == {"9090/tcp", "8080/tcp", "9091/tcp"}
    assert list(image.config["Volumes"]) == ["/data"]


def test_it_holds_what_is_locked_and_no_way_to_install_more(image: Image) -> None:
    (site,) = (image.root / "opt/registry/lib").glob("python3*/site-packages")
    found = {folder.name.removesuffix(".dist-info") for folder in site.glob("*.dist-info")}
    locked = subprocess.run(
        ["python3", ROOT / "scripts" / "locked.py", "--extra", "all"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wanted = {
        line.split(" ")[0].replace("==", "-").lower().replace("_", "-")
        for line in locked.splitlines()
        if "==" in line and ";" not in line
    }
    have = {name.lower().replace("_", "-") for name in found}
    assert wanted - have <= {name for name in wanted if name.startswith("setuptools-")}
    assert not list(site.glob("pip*"))
    writable = [
        path
        for path in (image.root / "opt").rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o002
    ]
    assert not writable


def test_it_refuses_to_listen_before_it_is_told_who_may_call(image: Image, tmp_path: Path) -> None:
    container = Container(image, tmp_path)
    assert container.process.wait(START_SECONDS) == 2
    assert "no credentials are asked for" in container.log.read_text()


def test_it_serves_on_a_read_only_root_is_healthy_and_drains(image: Image, tmp_path: Path) -> None:
    http, grpc, metrics = HeldPort(), HeldPort(), HeldPort()
    ports = {"HTTP__PORT": str(http), "GRPC__PORT": str(grpc), "METRICS__PORT": str(metrics)}
    container = Container(image, tmp_path, "serve", "--insecure", **ports)
    assert json.loads(container.healthy())["status"] == "HEALTHY"

    for user in ("1000:1000", "0:0"):
        for place in ("/", "/opt/registry", "/etc"):
            assert "Read-only" in container.execute("touch", f"{place}/x", user=user).stderr
    assert container.execute("touch", "/tmp/x", "/data/x").returncode == 0
    # Worker processes, the Protobuf compiler among them, and the command line that is in the image.
    schema = container.execute("sh", "-c", "echo 'syntax = \"proto3\"; message M { int64 id = 1; }' > /tmp/m.proto"
                               f" && schema-registry --server 127.0.0.1:{grpc} register m /tmp/m.proto")  # fmt: skip
    assert schema.returncode == 0, schema.stderr
    with SchemaRegistry(f"127.0.0.1:{grpc}") as registry:
        pattern = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^a+$"}}}
        registry.register_schema("order", pattern)
        watch = iter(registry.watch(from_revision="earliest"))
        seen = [next(watch).subject]
        assert container.stop() == 0
        lines = container.log.read_text().splitlines()
        assert [json.loads(line)["event"] for line in lines if line.startswith("{")][-1] == "stopped"

        again = Container(image, tmp_path, "serve", "--insecure", **ports)
        again.healthy()
        registry.register_schema("later", {"type": "string"})
        while "later" not in seen:
            seen.append(next(watch).subject)
        assert list(dict.fromkeys(seen)) == ["m", "order", "later"]
    assert again.stop() == 0


def test_it_has_what_the_back_ends_need(image: Image, tmp_path: Path) -> None:
    program = (
        "import asyncio, asyncpg, redis.asyncio, pygrpc_native\n"
        "from aiobotocore.session import get_session\n"
        "from grpc_tools import protoc\n"
        "async def main():\n"
        "    made = get_session().create_client('s3', region_name='eu-central-1', aws_access_key_id='a', aws_secret_access_key='b')\n"
        "    async with made as client: print(client.meta.service_model.service_name)\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        ["chroot", "--userspec=1000:1000", image.root, "/opt/registry/bin/python", "-c", program],
        env={"HOME": "/tmp", "PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "s3\n", done.stderr


@pytest.fixture(autouse=True)
def _has_tools() -> None:
    for name in ("unshare", "nsenter", "chroot"):
        assert shutil.which(name)
