"""`register` and `model` of both clients: a class becomes a schema, and a schema a class whose instances are valid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, computed_field

from llm_schema_registry import AsyncSchemaRegistry, IncompatibleSchema, SchemaRegistry, VersionNotFound
from llm_schema_registry.integrations.pydantic import RegistryModel, content_of
from tests.api.server import ServerProcess

from .kit import TICKET, VALUE, WRONG

TREE = {
    "title": "Page",
    "type": "object",
    "properties": {
        "root": {"$ref": "#/$defs/node"},
        "schema": {"type": "string", "description": "What it follows"},
        "a-b": {"type": "integer"},
        "class": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/leaf"}, {"type": "null"}]},
        "money": {"type": "number", "exclusiveMinimum": 0},
        "points": {"type": "array", "items": {"type": ["integer", "string"]}, "minItems": 1},
        "kind": {"const": "page"},
        "any": {"allOf": [{"type": "object"}, {"required": ["x"]}]},
    },
    "required": ["root", "a-b"],
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["name"],
        },
        "leaf": {"type": "object", "properties": {"v": {"type": "boolean"}}, "additionalProperties": False},
    },
}  # fmt: skip


class Money(BaseModel):
    """An amount."""

    amount: float = Field(gt=0)
    currency: Literal["EUR", "USD"] = "EUR"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def shown(self) -> str:
        return f"{self.amount} {self.currency}"


class Named(BaseModel):
    schema_subject: ClassVar[str] = "pydantic.named"
    id: int


@dataclass
class Plain:
    id: int


@pytest.fixture
def tree(registry: SchemaRegistry, subject: str) -> Any:
    registry.register_schema(subject, TREE)
    return registry.model(f"{subject}@^1")


def test_a_class_is_registered_with_its_own_schema(registry: SchemaRegistry, subject: str) -> None:
    made = registry.register(Money, subject)

    content = registry.get_schema(made.schema_id).json()
    assert content == Money.model_json_schema()
    assert list(content["properties"]) == ["amount", "currency"]
    assert registry.register(Money, subject).schema_id == made.schema_id


def test_what_it_takes_and_what_it_is_written_as_differ(registry: SchemaRegistry, subject: str) -> None:
    made = registry.register(Money, subject, mode="serialization")

    assert "shown" in registry.get_schema(made.schema_id).json()["properties"]
    with pytest.raises(ValueError, match="mode: 'validation' or 'serialization'"):
        registry.register(Money, subject, mode="both")


def test_the_subject_may_be_the_class_own(registry: SchemaRegistry) -> None:
    assert registry.register(Named).subject == "pydantic.named"
    assert registry.register(Money).subject == "Money"
    assert registry.register(Plain).subject == "Plain"
    with pytest.raises(TypeError, match="the model has no name"):
        registry.register(TypeAdapter(list[int]))


@pytest.mark.parametrize("given", ["support.ticket", b"{}", {"type": "object"}])
def test_a_subject_or_a_schema_is_no_model(given: object) -> None:
    with pytest.raises(TypeError, match=r"register_schema\(subject, schema\)"):
        content_of(given, "validation")


def test_a_change_of_the_class_is_checked(registry: SchemaRegistry, subject: str) -> None:
    class First(BaseModel):
        id: int

    class Second(BaseModel):
        id: int
        name: str

    registry.register(First, subject, compatibility_level="BACKWARD")
    with pytest.raises(IncompatibleSchema):
        registry.register(Second, subject)


def test_the_class_of_a_version_has_typed_attributes(registry: SchemaRegistry, ticket: str) -> None:
    made = registry.model(f"{ticket}@^1")

    value: Any = made.model_validate(VALUE)
    assert (value.category, value.priority, value.order) == ("billing", 2, None)
    assert value.model_dump() == VALUE
    assert json.loads(value.model_dump_json()) == VALUE
    assert made.__name__ == "Ticket"
    assert issubclass(made, RegistryModel)
    assert made.schema_version.subject == ticket
    assert made.model_json_schema() == TICKET
    assert made.model_fields["priority"].annotation is int


@pytest.mark.parametrize("way", ["python", "json", "arguments"])
def test_what_the_schema_refuses_no_way_makes(registry: SchemaRegistry, ticket: str, way: str) -> None:
    made = registry.model(ticket)
    makers: dict[str, Any] = {
        "python": made.model_validate,
        "json": lambda v: made.model_validate_json(json.dumps(v)),
        "arguments": lambda v: made(**v),
    }

    assert makers[way](VALUE).model_dump() == VALUE
    with pytest.raises(ValidationError) as refused:
        makers[way]({**WRONG, "priority": "2"})
    assert {e["loc"]: (e["type"], e["input"]) for e in refused.value.errors()} == {
        ("tags",): ("uniqueItems", ["refund", "refund"]),
        ("priority",): ("type", "2"),
    }


def test_names_that_python_does_not_take_are_aliases(tree: Any) -> None:
    page = tree.model_validate(
        {
            "root": {"name": "r", "children": [{"name": "c", "more": 1}]},
            "a-b": 1,
            "schema": "x",
            "class": {"v": True},
        }
    )

    assert page.a_b == 1
    assert page.schema_ == "x"
    assert page.class_.v is True
    assert page.root.children[0].name == "c"
    assert page.root.children[0].children is None
    assert tree(root={"name": "r"}, a_b=2).model_dump(by_alias=True) == {"root": {"name": "r"}, "a-b": 2}
    assert tree.model_fields["schema_"].description == "What it follows"


def test_names_of_all_kinds_make_classes(registry: SchemaRegistry, subject: str) -> None:
    names = [
        "none",
        "Any",
        "true",
        "²",
        "ﬁ",
        "fi",
        "1",
        "x y",
        "x_y",
        "__import__('os')",
        "model_dump",
        "_",
        "",
        "日",
    ]
    held = {"type": "object", "properties": {"v": {"type": "integer"}}, "required": ["v"]}
    properties = {name: {"$ref": f"#/$defs/{quote(name)}"} for name in names if name}
    others = {name: held for name in names if name not in properties}
    schema = {
        "type": "object",
        "properties": {**properties, **others},
        "$defs": dict.fromkeys(properties, held),
    }
    registry.register_schema(subject, schema)

    document = {name: {"v": number} for number, name in enumerate(names)}
    made: Any = registry.model(subject).model_validate(document)
    assert made.model_dump(by_alias=True) == document
    assert len({type(getattr(made, field)).__name__ for field in type(made).model_fields}) == len(names)


def test_instances_may_be_made_of_instances(tree: Any) -> None:
    node = tree.model_validate({"root": {"name": "r"}, "a-b": 1}).root

    assert tree(root=node, a_b=1).root.name == "r"


def test_within_another_class_it_is_the_schema_of_the_version(
    registry: SchemaRegistry, ticket: str, tree: Any
) -> None:
    made = registry.model(ticket)
    whole = TypeAdapter(list[made]).json_schema()  # type: ignore[valid-type]

    assert whole["$defs"]["Ticket"]["properties"] == TICKET["properties"]
    assert "children" in str(TypeAdapter(list[tree]).json_schema())


def test_a_class_of_a_version_registers_the_same_content(
    registry: SchemaRegistry, ticket: str, subject: str
) -> None:
    made = registry.model(ticket)

    again = registry.register(made, subject)
    assert registry.get_schema(again.schema_id).content == made.schema_version.content


@pytest.mark.parametrize("schema", ['{"type": "array"}', "true", '{"enum": [1]}'])
def test_what_describes_no_object_makes_no_class(registry: SchemaRegistry, subject: str, schema: str) -> None:
    registry.register_schema(subject, schema)

    with pytest.raises(ValueError, match="is no JSON Schema of an object"):
        registry.model(subject)
    with pytest.raises(VersionNotFound):
        registry.model(f"{subject}@^9")
    with pytest.raises(TypeError, match=r"'support\.ticket@\^2'"):
        registry.model(7)  # type: ignore[arg-type]


async def test_asyncio_code_has_the_same(server: ServerProcess, subject: str) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:
        made = await registry.register(Money, subject)
        found = await registry.model((subject, made.version))
        assert found.model_validate({"amount": 1}).model_dump() == {"amount": 1}
        with pytest.raises(ValidationError):
            found.model_validate({"amount": 0})


LEAF = st.fixed_dictionaries({}, optional={"v": st.booleans()})
NODE = st.recursive(
    st.fixed_dictionaries({"name": st.text(max_size=5)}),
    lambda inner: st.fixed_dictionaries(
        {"name": st.text(max_size=5), "children": st.lists(inner, max_size=2)}
    ),
    max_leaves=4,
)
PAGES = st.fixed_dictionaries(
    {"root": NODE, "a-b": st.integers() | st.just(3.0)},
    optional={
        "schema": st.text(max_size=5),
        "class": st.none() | st.integers() | LEAF,
        "money": st.integers(1, 9) | st.floats(0.5, 9),
        "points": st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=3),
        "kind": st.just("page"),
        "any": st.just({"x": [1, None]}),
        "other": st.none() | st.booleans(),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=PAGES)
def test_whatever_is_valid_becomes_an_instance_and_comes_back(tree: Any, document: Any) -> None:
    page = tree.model_validate_json(json.dumps(document))

    assert page.model_dump(by_alias=True) == document
