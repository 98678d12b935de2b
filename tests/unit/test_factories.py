"""Settings choose the parts; what cannot be had is said, with the way out."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from llm_schema_registry_server import factories
from llm_schema_registry_server.errors import Unavailable
from llm_schema_registry_server.settings import BlobsSettings, RedisSettings, SettingsError, load
from llm_schema_registry_server.storage.blobs.inline import InlineBlobs
from llm_schema_registry_server.storage.blobs.s3 import S3Blobs

S3 = {"SCHEMA_REGISTRY_BLOBS__KIND": "s3", "SCHEMA_REGISTRY_BLOBS__S3__BUCKET": "b"}


def test_there_are_no_tiers_unless_they_are_set() -> None:
    assert factories.make_redis(RedisSettings()) is None
    assert isinstance(factories.make_blobs(BlobsSettings()), InlineBlobs)


def test_settings_turn_them_on() -> None:
    settings = load(environ={**S3, "SCHEMA_REGISTRY_CACHES__REDIS__URL": "redis://localhost"})

    assert factories.make_redis(settings.caches.redis) is not None
    assert isinstance(factories.make_blobs(settings.blobs), S3Blobs)


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("caches.redis", lambda s: factories.make_redis(s.caches.redis), "redis"),
        ("storage.blobs.s3", lambda s: factories.make_blobs(s.blobs), "s3"),
        ("telemetry.otel", lambda s: factories.make_tracing(s.tracing, "1"), "telemetry"),
    ],
)
def test_a_tier_whose_package_is_missing_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Callable[[Any], object], extra: str
) -> None:
    settings = load(
        environ={
            **S3,
            "SCHEMA_REGISTRY_CACHES__REDIS__URL": "redis://localhost",
            "SCHEMA_REGISTRY_TRACING__ENDPOINT": "http://localhost:4317",
        }
    )
    monkeypatch.setitem(sys.modules, f"llm_schema_registry_server.{module}", None)

    with pytest.raises(Unavailable, match=rf"install llm-schema-registry\[{extra}\]"):
        make(settings)


def test_a_url_that_is_none_is_refused_without_a_word_of_its_password() -> None:
    with pytest.raises(ValidationError, match="is not a URL") as refused:
        RedisSettings.model_validate({"url": "redis://user:hun/ter2@host"})

    assert "hun" not in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"BLOBS__KIND": "s3"}, "bucket"),
        ({"BLOBS__KIND": "s3", "BLOBS__S3__BUCKET": "b", "BLOBS__S3__ACCESS_KEY": "k"}, "go together"),
        ({"CACHES__REDIS__PREFIX": "with space"}, "prefix"),
        ({"CACHES__REDIS__SIGNING_KEY": "short"}, "SIGNING_KEY"),
        ({"CACHES__REDIS__TIMEOUT_SECONDS": "0"}, "TIMEOUT_SECONDS"),
        ({"CACHES__REDIS__URL": "localhost:6379"}, "URL"),
    ],
)
def test_settings_that_cannot_work_are_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(environ={f"SCHEMA_REGISTRY_{name}": value for name, value in variables.items()})


def test_secrets_are_masked_when_settings_are_printed() -> None:
    names = (
        "CACHES__REDIS__URL",
        "CACHES__REDIS__PASSWORD",
        "CACHES__REDIS__SIGNING_KEY",
        "BLOBS__S3__SECRET_KEY",
    )
    settings = load(
        environ={
            **{f"SCHEMA_REGISTRY_{name}": "redis://u:hunter2@host.example:6379/0" for name in names},
            "SCHEMA_REGISTRY_BLOBS__S3__ACCESS_KEY": "hunter2",
        }
    )

    assert "hunter2" not in settings.model_dump_json()
    assert "hunter2" not in repr(settings)
