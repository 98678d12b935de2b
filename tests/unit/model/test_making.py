"""A class that is quickly made is the same class, made for less."""

import inspect
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from llm_schema_engines.model.fast_init import fast_init
from llm_schema_registry_server.model.schema import SchemaVersion


@dataclass(frozen=True, slots=True)
class Slow:
    name: str
    number: int = 7
    parts: Sequence[str] = field(default_factory=list)


@fast_init
@dataclass(frozen=True, slots=True)
class Quick:
    name: str
    number: int = 7
    parts: Sequence[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("a",), {}), (("a", 1, ["x"]), {}), ((), {"name": "a"}), (("a",), {"parts": ["y"]}), (("a", 2), {})],
)
def test_it_takes_the_same_arguments(arguments: tuple[object, ...], named: dict[str, object]) -> None:
    slow, quick = Slow(*arguments, **named), Quick(*arguments, **named)  # type: ignore[arg-type]

    assert repr(quick) == repr(slow).replace("Slow", "Quick")
    assert quick == Quick(quick.name, quick.number, quick.parts)
    assert replace(quick, number=9) == Quick(quick.name, 9, quick.parts)


def test_what_is_missing_or_too_much_is_refused() -> None:
    with pytest.raises(TypeError, match="'name'"):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="4 positional arguments"):
        Quick("a", 1, [], 2)  # type: ignore[call-arg]


def test_each_has_a_default_of_its_own() -> None:
    assert Quick("a").parts is not Quick("b").parts


def test_it_stays_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Quick("a").name = "b"  # type: ignore[misc]


def test_a_class_that_does_more_when_it_is_made_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Telling:
        name: str

        def __post_init__(self) -> None: ...

    @dataclass(frozen=True, slots=True)
    class Named:
        name: str = field(kw_only=True)

    for cls in (Telling, Named):
        with pytest.raises(TypeError, match="needs the __init__ of dataclasses"):
            fast_init(cls)


def test_names_in_the_signature_are_those_of_the_fields() -> None:
    assert list(inspect.signature(SchemaVersion).parameters) == list(SchemaVersion.__dataclass_fields__)
