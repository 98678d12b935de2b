"""Settings come from a file and from variables; a name that nobody knows is refused and named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from llm_schema_registry_server.settings import SettingsError, load


def test_the_defaults_need_nothing() -> None:
    assert load(environ={}).grpc.port == 9090


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("[grpc]\nport = 1\n[http]\nport = 2\n")

    settings = load(file, {"SCHEMA_REGISTRY_GRPC__PORT": "3"})

    assert (settings.grpc.port, settings.http.port) == (3, 2)


@pytest.mark.parametrize(
    "name", ["SCHEMA_REGISTRY_GRCP", "SCHEMA_REGISTRY_GRPC__PRT", "SCHEMA_REGISTRY_PORT"]
)
def test_an_unknown_variable_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(environ={name: "1"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SCHEMA_REGISTRY_GRPC_PORT", "SCHEMA_REGISTRY_GRPC__PORT"),
        ("SCHEMA_REGISTRY_SERVER__GRPC__PORT", "SCHEMA_REGISTRY_GRPC__PORT"),
        ("SCHEMA_REGISTRY_HTTP__PROT", "SCHEMA_REGISTRY_HTTP__PORT"),
        ("SCHEMA_REGISTRY_STORAGE_POSTGRES_DSN", "SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN"),
    ],
)
def test_an_unknown_variable_is_told_the_one_that_was_meant(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"variable {name}.*did you mean {meant}\\?"):
        load(environ={name: "1"})


def test_an_unknown_name_in_a_file_is_told_the_one_that_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("[grpc]\nprot = 1\n")
    with pytest.raises(SettingsError, match=r"did you mean grpc\.port\?"):
        load(file, {})


def test_the_variables_of_the_command_line_client_are_no_settings() -> None:
    for name in ("SERVER", "TOKEN", "OUTPUT", "DEBUG", "PROFILE", "TIMEOUT", "CONTEXT", "CA", "CERT", "KEY"):
        assert load(environ={f"SCHEMA_REGISTRY_{name}": "a"}) == load(environ={})


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("[storage]\npaht = 'x'\n")

    with pytest.raises(SettingsError, match=r"storage\.paht"):
        load(file, {})


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml", {})


def test_a_wrong_value_is_refused_with_its_variable() -> None:
    with pytest.raises(SettingsError, match="SCHEMA_REGISTRY_GRPC__PORT"):
        load(environ={"SCHEMA_REGISTRY_GRPC__PORT": "zebra"})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load(environ={}).grpc.port = 1  # type: ignore[misc]


def test_postgres_needs_a_dsn_and_never_shows_it() -> None:
    with pytest.raises(SettingsError, match=r"needs postgres\.dsn"):
        load(environ={"SCHEMA_REGISTRY_STORAGE__KIND": "postgres"})

    storage = load(
        environ={
            "SCHEMA_REGISTRY_STORAGE__KIND": "postgres",
            "SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN": "postgresql://me:hush@db/registry",
        }
    ).storage

    assert storage.postgres.dsn.get_secret_value().endswith("@db/registry")
    assert "hush" not in f"{storage} {storage.model_dump_json()}"


def test_trusted_proxies_are_networks_separated_by_commas() -> None:
    variable = "SCHEMA_REGISTRY_PROXIES__TRUSTED"

    assert load(environ={}).proxies.trusted == ()
    trusted = load(environ={variable: "10.0.0.0/8, 192.0.2.7 ,fd00::/8"}).proxies.trusted
    assert [str(network) for network in trusted] == ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]
    with pytest.raises(SettingsError, match=variable):
        load(environ={variable: "the-proxy"})
