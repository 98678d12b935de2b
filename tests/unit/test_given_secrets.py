"""Secrets of the settings that stand in files or are encrypted."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from llm_schema_registry_server.settings import SettingsError, load
from llm_schema_registry_server.settings.given_secrets import GivenSecretError, encrypt

KEY = base64.b64encode(bytes(range(32))).decode()
DSN = "postgresql://u:hidden-password@db/registry"


def loaded(value: str, **environ: str) -> str:
    given = {
        "SCHEMA_REGISTRY_STORAGE__KIND": "postgres", "SCHEMA_REGISTRY_STORAGE__POSTGRES__DSN": value, **environ,
    }  # fmt: skip
    return load(environ=given).storage.postgres.dsn.get_secret_value()


def test_a_secret_stands_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text(f"{DSN}\n")
    assert loaded(f"file:{file}") == DSN
    (tmp_path / "settings.toml").write_text(f'[caches.redis]\nurl = "file:{tmp_path}/redis"\n')
    (tmp_path / "redis").write_text("redis://:pass@r:6379/0")
    found = load(tmp_path / "settings.toml", {}).caches.redis.url
    assert found is not None
    assert found.get_secret_value() == "redis://:pass@r:6379/0"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_told_by_its_name_alone(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "dsn"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"storage\.postgres\.dsn: the file .*dsn") as refused:
        loaded(f"file:{file}")
    assert "xxx" not in str(refused.value)


def test_a_secret_is_encrypted_and_found_again(tmp_path: Path) -> None:
    environ = {"SCHEMA_REGISTRY_SETTINGS_KEY": KEY}
    shown = encrypt(DSN, environ)
    assert "hidden" not in shown
    assert shown != encrypt(DSN, environ)
    assert loaded(shown, **environ) == DSN
    (tmp_path / "key").write_text(KEY + "\n")
    assert loaded(shown, SCHEMA_REGISTRY_SETTINGS_KEY_FILE=str(tmp_path / "key")) == DSN


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SCHEMA_REGISTRY_SETTINGS_KEY": base64.b64encode(bytes(32)).decode()},
        {"SCHEMA_REGISTRY_SETTINGS_KEY": "short"},
        {"SCHEMA_REGISTRY_SETTINGS_KEY_FILE": "/nothing/here"},
    ],
)
def test_without_the_key_the_server_does_not_start_and_shows_nothing(environ: dict[str, str]) -> None:
    shown = encrypt(DSN, {"SCHEMA_REGISTRY_SETTINGS_KEY": KEY})
    with pytest.raises(SettingsError, match=r"storage\.postgres\.dsn: ") as refused:
        loaded(shown, **environ)
    assert shown not in str(refused.value)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "%%", base64.b64encode(b"x" * 60).decode()])
def test_what_was_altered_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="cannot be decrypted"):
        loaded(f"encrypted:{text}", SCHEMA_REGISTRY_SETTINGS_KEY=KEY)


def test_other_texts_and_other_fields_stay_as_they_are() -> None:
    assert loaded(DSN) == DSN
    assert load(environ={"SCHEMA_REGISTRY_GRPC__HOST": "localhost"}).grpc.host == "localhost"


def test_nothing_is_encrypted_without_a_key() -> None:
    with pytest.raises(GivenSecretError, match="needs a key"):
        encrypt("x", {})
