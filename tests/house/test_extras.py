"""Each extra suffices for what it promises: the wheel with its packages, and no others, does it.

By default the packages are linked from this environment; the deep run installs them with pip from the index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.server import ServerProcess
from tests.house.installations import Installation, build_wheel, installed, linked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # pip may take minutes; links take seconds

Install = Callable[[str], Installation]

TEN_LINES = """
from llm_schema_engines import InvalidSchema, check, convert, diff, parse, validate

old = parse('{"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": false}')
new = '{"type": "object", "properties": {"id": {"type": "number"}}, "additionalProperties": false}'
assert check(new, old) and not check(new, old, "FULL")
assert validate(old, {"id": 7}) and not validate(old, {"id": "7"})
assert diff(old, new).items[0].path == "/properties/id/type"
order = parse('syntax = "proto3"; package shop.v1; message Order { int64 id = 1; }')
assert validate(order, {"id": 7}) and b"record" in convert(order, "AVRO").content
try:
    parse('syntax = "proto3"; message M { Foo a = 1; }')
except InvalidSchema as error:
    print(error.issues[0].rule)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=["linked", pytest.param("pip", marks=pytest.mark.deep)])
def install(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Install]:
    make = linked if request.param == "linked" else installed
    made: dict[str, Installation] = {}

    def once(extra: str) -> Installation:
        if extra not in made:
            made[extra] = make(wheel, extra, tmp_path_factory.mktemp(extra or "base"))
        return made[extra]

    return once


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    yield process
    process.stop()


def test_the_bare_package_is_the_sdk_and_the_command_line(install: Install, server: ServerProcess) -> None:
    base = install("")

    shown = base.script("schema-registry", "--help")
    assert (shown.returncode, "register" in shown.stdout) == (0, True), shown.stderr
    schema = base.home / "order.json"
    schema.write_text('{"type": "object"}')
    registered = base.script(
        "schema-registry", "register", "orders", str(schema), SCHEMA_REGISTRY_SERVER=server.grpc
    )
    assert registered.returncode == 0, registered.stderr
    program = (
        "import sys, llm_schema_registry as sdk\n"
        "with sdk.SchemaRegistry(sys.argv[1]) as registry: print(registry.get_latest_version('orders').version)"
    )
    assert base.run("-c", program, server.grpc).stdout == "1.0.0\n"


def test_the_bare_package_says_which_extra_is_missing(install: Install) -> None:
    base = install("")

    served = base.script("schema-registry-server", "serve")
    assert (served.returncode, served.stdout) == (1, "")
    assert served.stderr.count("\n") == 1
    assert served.stderr.endswith("is not installed; pip install 'llm-schema-registry[server]'\n")
    parsed = base.run("-c", "import llm_schema_engines; llm_schema_engines.parse('{}')")
    assert parsed.stderr.splitlines()[-1].startswith("ModuleNotFoundError: llm_schema_engines needs ")
    assert parsed.stderr.endswith("pip install 'llm-schema-registry[engines]'\n")


def test_the_engines_work_without_a_server(install: Install) -> None:
    engines = install("engines")

    ran = engines.run("-c", TEN_LINES)
    assert (ran.returncode, ran.stdout) == (0, "TYPE_UNDEFINED\n"), ran.stderr
    assert engines.script("schema-registry-server", "serve").returncode == 1


@pytest.mark.parametrize("engine", ["native", "grpcio"])
def test_the_server_serves(install: Install, tmp_path: Path, engine: str) -> None:
    serving = install("server")
    server = ServerProcess(tmp_path, python=serving.python, GRPC__ENGINE=engine)
    try:
        program = (
            "import sys, llm_schema_registry as sdk\n"
            "with sdk.SchemaRegistry(sys.argv[1]) as registry:\n"
            "    made = registry.register_schema('m', 'syntax = \"proto3\"; message M {}', 'PROTOBUF')\n"
            "    print(made.version, registry.health_check().status.name)"
        )
        ran = serving.run("-c", program, server.grpc)
        assert ran.stdout == "1.0.0 HEALTHY\n", ran.stderr
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    ("extra", "settings"),
    [
        ("postgres", {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": "postgresql://127.0.0.1:1/x"}),
        ("redis", {"CACHES__REDIS__URL": "redis://127.0.0.1:1/0"}),
        ("s3", {"BLOBS__KIND": "s3", "BLOBS__S3__BUCKET": "b", "BLOBS__S3__ENDPOINT": "http://127.0.0.1:1"}),
    ],
)
def test_what_is_optional_on_the_server_says_its_extra(
    install: Install, extra: str, settings: dict[str, str]
) -> None:
    serving = install("server")

    refused = serving.script(
        "schema-registry-server", "serve", **{f"SCHEMA_REGISTRY_{n}": v for n, v in settings.items()}
    )
    assert refused.returncode != 0
    assert f"install llm-schema-registry[{extra}]" in refused.stderr, json.dumps(settings)
