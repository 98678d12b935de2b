"""A subject name survives as it is; what cannot be a name is refused with the field named."""

import pytest

from llm_schema_registry_server.errors import Code, InvalidRequest, InvalidSubject
from llm_schema_registry_server.model.subject import Subject, parse_context


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


@pytest.mark.parametrize("text", ["a", ":.a:b", ":.:b", ":.a::.b:c", ":.a::", "a:.b", ":a"])
def test_the_qualified_form_is_the_same_subject_again(text: str) -> None:
    subject = Subject.parse(text)

    assert Subject.parse(str(subject)) == subject


@pytest.mark.parametrize("text", [":.::.b:c", ":.::.b", ":. :b", ":.a :b"])
def test_a_name_that_would_be_another_subject_is_refused(text: str) -> None:
    with pytest.raises(InvalidSubject):
        Subject.parse(text)


@pytest.mark.parametrize("text", [".a:b", ".:", "", "a", ".a ", ".a\x00", "." + "a" * 300])
def test_a_context_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_context(text)
    assert caught.value.violations[0].field == "context"


@pytest.mark.parametrize("text", [".", ".a", "..", ".a.b", ".\u00e9"])
def test_a_context_is_taken_as_it_is(text: str) -> None:
    assert parse_context(text) == text
