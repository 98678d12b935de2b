"""DeleteSchema, UndeleteSchema, DeleteSubject: hidden first, gone only when nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable

from llm_schema_registry.v1 import lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V2_COMPATIBLE, delete, get, refused, register, versions
from .wires import Wire

Name = Callable[[str], str]


def removal(schema_id: str, **fields: bool) -> pb.DeleteSchemaRequest:
    return pb.DeleteSchemaRequest(schema_id=schema_id, **fields)


def test_a_soft_delete_hides_a_version_but_data_can_still_be_decoded(wire: Wire, name: Name) -> None:
    first, second = register(wire, name("s")), register(wire, name("s"), V2_COMPATIBLE)
    delete(wire, second.schema_id)
    latest = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))).schema

    assert latest.id == first.schema_id
    assert versions(wire, name("s")) == ["1.0.0"]
    assert versions(wire, name("s"), include_deleted=True) == ["1.0.0", "1.1.0"]
    assert get(wire, second.schema_id).HasField("deleted_at")


def test_an_undelete_restores_the_same_version(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    delete(wire, made.schema_id)
    request = lifecycle_pb2.UndeleteSchemaRequest(schema_id=made.schema_id)
    back = wire.call("UndeleteSchema", request).schema

    assert (back.id, back.version, back.ordinal) == (made.schema_id, made.version, made.ordinal)
    assert not back.HasField("deleted_at")
    assert versions(wire, name("s")) == ["1.0.0"]


def test_a_permanent_delete_needs_a_soft_one_first(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    refused(
        wire,
        "DeleteSchema",
        removal(made.schema_id, permanent=True),
        "FAILED_PRECONDITION",
        "NOT_SOFT_DELETED",
        "permanent",
    )
    delete(wire, made.schema_id)
    delete(wire, made.schema_id, permanent=True)

    refused(wire, "GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id), "NOT_FOUND", "SCHEMA_NOT_FOUND")


def test_a_delete_is_soft_unless_permanent_is_asked_for(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    wire.call("DeleteSchema", removal(made.schema_id))

    assert get(wire, made.schema_id).HasField("deleted_at")
    error = refused(wire, "DeleteSchema", removal(made.schema_id), "NOT_FOUND", "SCHEMA_NOT_FOUND")
    assert f"schema-registry undelete {made.schema_id}" in error.message
    assert get(wire, made.schema_id).id == made.schema_id  # twice is not permanent


def test_soft_delete_does_not_make_a_delete_permanent(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    wire.call("DeleteSchema", removal(made.schema_id, soft_delete=True))
    refused(wire, "DeleteSchema", removal(made.schema_id, soft_delete=False), "NOT_FOUND", "SCHEMA_NOT_FOUND")

    assert get(wire, made.schema_id).HasField("deleted_at")


def test_soft_and_permanent_contradict_each_other(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    both = removal(made.schema_id, soft_delete=True, permanent=True)
    refused(wire, "DeleteSchema", both, "INVALID_ARGUMENT", "INVALID_REQUEST", "soft_delete")

    assert not get(wire, made.schema_id).HasField("deleted_at")


def test_what_is_softly_deleted_says_how_to_bring_it_back(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    second = register(wire, name("s"), V2_COMPATIBLE)
    delete(wire, second.schema_id)
    undelete = f"schema-registry undelete {second.schema_id}"

    asked = pb.GetSchemaByVersionRequest(subject=name("s"), version="1.1.0")
    by_version = refused(wire, "GetSchemaByVersion", asked, "NOT_FOUND", "VERSION_NOT_FOUND")
    labels = pb.UpdateSchemaMetadataRequest(schema_id=second.schema_id, tags=["t"])
    by_labels = refused(wire, "UpdateSchemaMetadata", labels, "NOT_FOUND", "SCHEMA_NOT_FOUND")
    compared = pb.CompatibilityCheckRequest(subject=name("s"), new_schema=V2_COMPATIBLE, compare_version="2")
    by_check = refused(wire, "CheckCompatibility", compared, "NOT_FOUND", "VERSION_NOT_FOUND")
    using = pb.RegisterSchemaRequest(
        subject=name("t"),
        schema_content=V2_COMPATIBLE,
        schema_type=pb.SCHEMA_TYPE_JSON,
        references=[pb.SchemaReference(name="r", subject=name("s"), version="1.1.0")],
    )
    by_reference = refused(wire, "RegisterSchema", using, "INVALID_ARGUMENT", "REFERENCE_NOT_FOUND")

    for error in (by_version, by_labels, by_check, by_reference):
        assert "softly deleted" in error.message
        assert undelete in error.message


def test_a_subject_of_softly_deleted_versions_says_so(wire: Wire, name: Name) -> None:
    delete(wire, register(wire, name("s")).schema_id)

    for rpc, request in (
        ("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))),
        ("ListVersions", pb.ListVersionsRequest(subject=name("s"))),
        ("GetSubjectVersions", pb.GetSubjectVersionsRequest(subject=name("s"))),
        ("DeleteSubject", lifecycle_pb2.DeleteSubjectRequest(subject=name("s"))),
        ("CheckCompatibility", pb.CompatibilityCheckRequest(subject=name("s"), new_schema=V2_COMPATIBLE)),
    ):
        error = refused(wire, rpc, request, "NOT_FOUND", "SUBJECT_NOT_FOUND")
        assert "softly deleted" in error.message, rpc
        assert ("undelete" if wire.name == "http" else "UndeleteSchema") in error.message, rpc


def test_ordinals_are_never_used_again(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    second = register(wire, name("s"), V2_COMPATIBLE)
    delete(wire, second.schema_id)
    delete(wire, second.schema_id, permanent=True)
    third = register(wire, name("s"), V2_COMPATIBLE)

    assert third.ordinal == 3
    assert third.schema_id != second.schema_id


def test_what_is_used_is_not_deleted_for_ever(wire: Wire, name: Name) -> None:
    uri = f"https://example.com/{name('base')}"
    base = register(wire, name("base"), b'{"$id": "%s", "type": "string"}' % uri.encode())
    register(
        wire,
        name("user"),
        b'{"$ref": "%s"}' % uri.encode(),
        references=[pb.SchemaReference(name=uri, subject=name("base"), version="1")],
    )
    delete(wire, base.schema_id)
    refused(
        wire, "DeleteSchema", removal(base.schema_id, permanent=True), "FAILED_PRECONDITION", "HAS_DEPENDENTS"
    )

    assert get(wire, base.schema_id).id == base.schema_id


def test_a_subject_is_deleted_with_all_its_versions(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    register(wire, name("s"), V2_COMPATIBLE)
    soft = wire.call("DeleteSubject", lifecycle_pb2.DeleteSubjectRequest(subject=name("s")))
    gone = wire.call("DeleteSubject", lifecycle_pb2.DeleteSubjectRequest(subject=name("s"), permanent=True))

    assert list(soft.versions) == list(gone.versions) == ["1.0.0", "1.1.0"]
    refused(wire, "ListVersions", pb.ListVersionsRequest(subject=name("s")), "NOT_FOUND", "SUBJECT_NOT_FOUND")


def test_registering_hidden_content_again_makes_a_live_version(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    delete(wire, made.schema_id)
    again = register(wire, name("s"))

    assert again.version in versions(wire, name("s"))


def test_an_unknown_id_cannot_be_deleted(wire: Wire) -> None:
    refused(wire, "DeleteSchema", removal("nobody"), "NOT_FOUND", "SCHEMA_NOT_FOUND")
    request = lifecycle_pb2.UndeleteSchemaRequest(schema_id="nobody")
    refused(wire, "UndeleteSchema", request, "NOT_FOUND", "SCHEMA_NOT_FOUND")
