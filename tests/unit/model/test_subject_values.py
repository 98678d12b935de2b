"""A subject name survives as it is; what cannot be a name is refused with the field named."""

import pytest

from llm_schema_registry_server.errors import Code, InvalidSubject
from llm_schema_registry_server.model.subject import Subject


@pytest.mark.parametrize(
    "name", ["orders", "a b", "a/b", "100%", "%2F", "com.example.Order-value", "日本語", "x" * 255]
)
def test_a_name_in_the_default_context_prints_as_written(name: str) -> None:
    assert str(Subject.parse(name)) == name
    assert Subject.parse(name).context == "."


def test_a_context_prefix_is_parsed() -> None:
    subject = Subject.parse(":.staging:orders")

    assert (subject.context, subject.name) == (".staging", "orders")
    assert str(subject) == ":.staging:orders"


@pytest.mark.parametrize(
    "name", ["", "x" * 256, "x" * 10_000, "a\nb", "a\x00", "\x7f", " a", "a ", ":.ctx", ":.ctx:"]
)
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSubject) as caught:
        Subject.parse(name)

    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.violations[0].field == "subject"
