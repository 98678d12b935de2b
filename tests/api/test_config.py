"""ConfigService: the narrower scope wins and each answer says who decided."""

from __future__ import annotations

from collections.abc import Callable

from llm_schema_registry.v1 import config_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V2_BREAKING, refused, register
from .wires import Wire

Name = Callable[[str], str]
Config = config_pb2.Config
BACKWARD, FULL, NONE = (
    pb.COMPATIBILITY_LEVEL_BACKWARD,
    pb.COMPATIBILITY_LEVEL_FULL,
    pb.COMPATIBILITY_LEVEL_NONE,
)


def context(name: Name) -> str:
    return "." + name("ctx").replace(".", "-")


def test_defaults_come_from_the_settings(wire: Wire, name: Name) -> None:
    answer = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=name("s")))

    assert not answer.config.ListFields()
    assert answer.effective.compatibility_level == BACKWARD
    assert answer.sources["compatibility_level"] == "default"
    assert set(answer.sources) == {f.name for f in Config.DESCRIPTOR.fields}


def test_the_narrower_scope_wins_field_by_field(wire: Wire, name: Name) -> None:
    subject = f":{context(name)}:orders"
    wire.call(
        "SetConfig",
        config_pb2.SetConfigRequest(
            context=context(name), config=Config(compatibility_level=FULL, apply_defaults=True)
        ),
    )
    wire.call(
        "SetConfig", config_pb2.SetConfigRequest(subject=subject, config=Config(compatibility_level=NONE))
    )
    answer = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=subject))

    assert answer.effective.compatibility_level == NONE
    assert answer.effective.apply_defaults
    assert answer.sources["compatibility_level"] == f"subject:{subject}"
    assert answer.sources["apply_defaults"] == f"context:{context(name)}"


def test_setting_one_field_leaves_the_others(wire: Wire, name: Name) -> None:
    for config in (Config(compatibility_level=FULL), Config(writer_model=config_pb2.WRITER_MODEL_OPEN)):
        wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))
    answer = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=name("s")))

    assert answer.config == Config(compatibility_level=FULL, writer_model=config_pb2.WRITER_MODEL_OPEN)


def test_a_level_counts_for_the_next_registration(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    config = Config(compatibility_level=NONE)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))

    assert register(wire, name("s"), V2_BREAKING).version == "2.0.0"


def test_a_read_only_subject_takes_no_version(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    config = Config(mode=config_pb2.MODE_READONLY)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))
    request = pb.RegisterSchemaRequest(
        subject=name("s"), schema_content=V2_BREAKING, schema_type=pb.SCHEMA_TYPE_JSON
    )

    refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "SUBJECT_READ_ONLY")


def test_deleting_the_config_brings_the_wider_scope_back(wire: Wire, name: Name) -> None:
    config = Config(compatibility_level=NONE)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))
    wire.call("DeleteConfig", config_pb2.DeleteConfigRequest(subject=name("s")))
    answer = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=name("s")))

    assert answer.effective.compatibility_level == BACKWARD
    refused(
        wire,
        "DeleteConfig",
        config_pb2.DeleteConfigRequest(subject=name("s")),
        "NOT_FOUND",
        "CONFIG_NOT_FOUND",
    )


def test_values_that_do_not_exist_are_refused(wire: Wire, name: Name) -> None:
    for field, config in (
        ("config.compatibility_level", Config(compatibility_level=99)),  # type: ignore[arg-type]
        ("config.mode", Config(mode=99)),  # type: ignore[arg-type]
    ):
        request = config_pb2.SetConfigRequest(subject=name("s"), config=config)
        refused(wire, "SetConfig", request, "INVALID_ARGUMENT", "INVALID_REQUEST", field)
