"""What operators take: compose, systemd, workflows, the image's settings. Each is read by what will read it, as far as it is here."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_schema_registry_server import __version__
from llm_schema_registry_server.settings import PREFIX, load
from tests.support.prometheus import run_tool
from tests.support.s3 import S3Server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNIT = DEPLOY / "systemd" / "schema-registry.service"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of the environment of scripts/tools."""
    place = subprocess.run(
        [ROOT / "scripts" / "tools"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return subprocess.run(
        [Path(place) / "bin" / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compose_and_workflows_follow_their_schemas(tmp_path: Path) -> None:
    assert WORKFLOWS
    for schema, files in (("compose-spec", [DEPLOY / "compose.yaml"]), ("github-workflows", WORKFLOWS)):
        done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
        assert done.returncode == 0, done.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("restart:", "restarts:"))
    assert tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", wrong).returncode != 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_hooks_before_a_commit_are_well_formed() -> None:
    done = tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def _filled(value: str) -> str:
    """With a value for each variable that compose asks for."""
    return re.sub(r"\$\{([A-Z0-9_]+)(:[?-][^}]*)?\}", lambda found: "x" * 24, value)


def test_compose_gives_servers_settings_that_they_take() -> None:
    servers = {n: s for n, s in COMPOSE["services"].items() if n.startswith("registry-")}
    assert len(servers) == 2
    for service in servers.values():
        environ = {name: _filled(value) for name, value in service["environment"].items()}
        settings = load(DEPLOY / "image" / "settings.toml", environ)
        assert (settings.storage.kind, settings.blobs.kind) == ("postgres", "s3")
        assert settings.drain_seconds < int(service["stop_grace_period"].removesuffix("s"))
        assert service["read_only"] is True
        assert "/tmp" in service["tmpfs"]


@pytest.mark.slow
async def test_compose_makes_the_bucket_when_the_object_store_answers(tmp_path: Path) -> None:
    service = COMPOSE["services"]["bucket"]
    environ = {name: _filled(value) for name, value in service["environment"].items()}
    s3 = S3Server(tmp_path)
    environ["SCHEMA_REGISTRY_BLOBS__S3__ENDPOINT"] = s3.endpoint
    program = [sys.executable, "-c", service["command"][0]]
    first = await asyncio.create_subprocess_exec(*program, env=environ)  # it has to wait
    await s3.start()
    try:
        assert await first.wait() == 0
        again = await asyncio.create_subprocess_exec(*program, env=environ)  # the bucket is there already
        assert await again.wait() == 0
    finally:
        s3.stop()


def test_compose_publishes_on_loopback_alone_and_names_every_volume_and_variable() -> None:
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", (DEPLOY / "compose.yaml").read_text()))
    given = set(re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    assert asked == given
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service["image"].partition(":")[2], f"{name} has no tag"
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), source


def test_prometheus_of_compose_scrapes_all_servers() -> None:
    config = yaml.safe_load((DEPLOY / "compose" / "prometheus.yaml").read_text())
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "schema-registry")
    hosts = {target.partition(":")[0] for target in job["static_configs"][0]["targets"]}
    assert hosts == {name for name in COMPOSE["services"] if name.startswith("registry-")}


def _mounted(service: str, inside: str) -> Path:
    """What lies at a path of a service of compose."""
    mounts = [volume.split(":")[:2] for volume in COMPOSE["services"][service]["volumes"]]
    return next(
        DEPLOY / source / inside[len(to) + 1 :] for source, to in mounts if f"{inside}/".startswith(f"{to}/")
    )


@pytest.mark.slow
def test_prometheus_takes_its_configuration_and_finds_the_rules(tmp_path: Path) -> None:
    copy = tmp_path / "prometheus.yaml"
    text = (DEPLOY / "compose" / "prometheus.yaml").read_text()
    copy.write_text(
        text.replace("/etc/prometheus/registry", str(_mounted("prometheus", "/etc/prometheus/registry")))
    )
    done = run_tool("promtool", "check", "config", str(copy))
    assert done.returncode == 0, done.stderr
    rules = sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml"))
    assert rules
    assert f"{len(rules)} rule files found" in done.stdout


def test_grafana_of_compose_loads_the_dashboards_and_reads_prometheus() -> None:
    provisioning = _mounted("grafana", "/etc/grafana/provisioning")
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "registry.yaml").read_text())["providers"]
    assert _mounted("grafana", provider["options"]["path"]).samefile(DEPLOY / "grafana")
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    assert [uid for uid, source in by_uid.items() if source.get("isDefault")] == ["prometheus"]
    for source in sources:
        assert source["url"].removeprefix("http://").partition(":")[0] in COMPOSE["services"]
    (traces,) = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert by_uid[traces["datasourceUid"]]["type"] == "jaeger"


def test_the_settings_of_the_image_are_settings_and_refuse_strangers() -> None:
    file = DEPLOY / "image" / "settings.toml"
    assert str(load(file, {}, insecure=True).storage.path) == "/data/registry.db"
    with pytest.raises(Exception, match="no credentials are asked for"):
        load(file, {})


def _unit() -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield section, name, value


def test_the_unit_gives_the_server_time_to_drain_and_variables_that_it_knows() -> None:
    service: Mapping[str, list[str]] = {}
    for section, name, value in _unit():
        if section == "Service":
            service.setdefault(name, []).append(value)  # type: ignore[attr-defined]
    environ = dict(v.split("=", 1) for v in service["Environment"])
    assert environ.pop(f"{PREFIX}CONFIG") == "/etc/schema-registry/registry.toml"
    settings = load(None, environ)
    assert settings.drain_seconds < int(service["TimeoutStopSec"][0])
    assert str(settings.storage.path).startswith("/var/lib/" + service["StateDirectory"][0])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    (command,) = (value for section, name, value in _unit() if (section, name) == ("Service", "ExecStart"))
    program = shlex.split(command)[0]
    copy = tmp_path / UNIT.name
    # It also looks whether the program is there: another one stands in for it.
    copy.write_text(UNIT.read_text().replace(program, "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if UNIT.name in line], done.stderr
    wrong = tmp_path / "wrong" / UNIT.name
    wrong.parent.mkdir()
    wrong.write_text(copy.read_text().replace("KillMode=mixed", "KilMode=mixed"))
    told = subprocess.run(["systemd-analyze", "verify", wrong], capture_output=True, text=True, check=False)
    assert "KilMode" in told.stderr


def test_scripts_are_programs() -> None:
    for name in ("image", "slim-packages", "slim-root", "tools", "release", "sbom"):
        assert os.access(ROOT / "scripts" / name, os.X_OK)
        assert subprocess.run(["bash", "-n", ROOT / "scripts" / name], check=False).returncode == 0


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "server/llm_schema_registry_server/__init__.py"
    chart = yaml.safe_load((ROOT / "helm" / "llm-schema-registry" / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


@pytest.mark.parametrize(
    "page", ["docs/deployment.md", "CONTRIBUTING.md", "deploy/compose.yaml", "Dockerfile"]
)
def test_files_that_are_named_are_there(page: str) -> None:
    named = re.findall(
        r"(?<![a-z])(?:scripts|deploy|helm|loadtest|tests|docs|\.github)/[A-Za-z0-9_./-]*[A-Za-z0-9_]",
        (ROOT / page).read_text(),
    )
    made = {"deploy/.env"}
    assert named
    assert not [name for name in named if name not in made and not (ROOT / name).exists()]
