"""The regular expression engine of the prover: against the deployed one, and in what it proves."""

from __future__ import annotations

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_engines.formats.json_schema.prover.regex.charsets import LAST, contains
from llm_schema_engines.formats.json_schema.prover.regex.languages import Languages
from llm_schema_engines.formats.json_schema.prover.regex.syntax import Unsupported, parse_pattern
from llm_schema_engines.formats.json_schema.prover.regex.word_characters import word_characters
from llm_schema_engines.formats.json_schema.regex_engine import matches

PATTERNS = (
    "a",
    "^a",
    "a$",
    "^$",
    "^a*$",
    "^(a|b)*abb$",
    r"^\d{2,4}-\w+$",
    r"[^a-z\s]",
    r"^[\w.-]+@[\w-]+\.[a-z]{2,}$",
    "^(?!x)[a-z]+$",
    "^(?=.*[0-9])(?=.*[a-z]).{3,}$",
    "^[A-Za-z_$][\\w$]*$",
    r"\.(js|ts)x?$",
    "^(?:[a-f]|[0-9]){2}$",
    r"^[ -~]*$",
    r"^.{0,3}$",
    r"\u0041|\x42",
    "(^|,)x",
    "^a{2}b{1,}c{0,2}$",
    r"\bx",
    r"x\b",
    r"\b0[0-7]?\b|\b0[1-7][0-7]\b",
    r"^a\b",
    r"a\B.",
    r"\b",
    r"\B",
    r"\b\B",
    r"\b\b[a-]?\b",
    r"(?:a|\b-?)\bx?\B",
    r"(^|,)\bx\b.*$",
    r"[^a]\b[^\d]*",
)
TEXTS = st.text(alphabet="aAbBxyz019-_.@, \n\r\u00e9\u0301\u200d\U0001f600", max_size=8)


def validator(pattern: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, offline=True, pattern_options=jsonschema_rs.FancyRegexOptions()
    )


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_it_matches_what_the_deployed_engine_matches(pattern: str, text: str) -> None:
    assert Languages(1000).matches(pattern, text) == validator(pattern).is_valid(text)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("other", PATTERNS)
def test_words_it_finds_are_words_and_shortest_first(pattern: str, other: str) -> None:
    search = Languages(3000).find(matching=[pattern], avoiding=[other], least=0, most=None, excluded=())

    if search.word is not None:
        assert validator(pattern).is_valid(search.word)
        assert not validator(other).is_valid(search.word)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("^[0-9]+$", r"^\d{1,}$"),
        ("^abc$", "b"),
        ("^(?!x)[a-z]+$", "^[a-wyz][a-z]*$"),
        ("^a{3,5}$", "^a*$"),
        ("^(ab|cd)$", "^[a-d]{2}$"),
        ("^0[0-7]-[0-3]$", r"\b0[0-7]?\b"),
        (r"\bab\b", r"a\Bb"),
        (r"^\w+$", r"^\b.*\b$"),
    ],
)
def test_inclusion_is_proved_by_the_absence_of_words(narrow: str, wide: str) -> None:
    search = Languages(3000).find(matching=[narrow], avoiding=[wide], least=0, most=None, excluded=())

    assert search.word is None
    assert search.complete


def test_lengths_and_excluded_texts_are_part_of_the_question() -> None:
    languages = Languages(3000)

    def find(least: int, most: int | None, *excluded: str) -> str | None:
        search = languages.find(matching=["^[ab]+$"], avoiding=[], least=least, most=most, excluded=excluded)
        assert search.complete
        return search.word

    assert find(3, 3) in {x + y + z for x in "ab" for y in "ab" for z in "ab"}
    assert find(1, 1, "a") == "b"
    assert find(1, 1, "a", "b") is None
    assert find(0, 0) is None


def test_a_search_ends_at_its_bound_and_says_that_it_is_not_complete() -> None:
    search = Languages(50).find(
        matching=["^.*a.{12}$"], avoiding=["b.{13}$"], least=30, most=None, excluded=()
    )

    assert search.word is not None or not search.complete


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", "(?<=a)b", r"(\bx)*", r"\b^a", r"\b(?=a)", r"\p{L}", "(?i)a", "a++", "a{", "[a", "(", "a)", "(?=a)*", "x{3,1}", "[]", "a" * 500],
)  # fmt: skip
def test_what_it_does_not_model_it_refuses(pattern: str) -> None:
    with pytest.raises(Unsupported):
        parse_pattern(pattern)


def test_the_characters_of_words_are_those_of_the_deployed_engine() -> None:
    listed: list[tuple[int, int]] = []

    def ask(low: int, high: int) -> None:
        """Halve the range until the engine says the same of all its characters."""
        text = "\n".join(map(chr, range(low, high + 1)))
        if matches(r"\b", text) and matches(r"\B", text):
            middle = (low + high) // 2
            ask(low, middle)
            ask(middle + 1, high)
        elif matches(r"\b", text):
            if listed and listed[-1][1] == low - 1:
                low = listed.pop()[0]
            listed.append((low, high))

    ask(0, 0xD7FF)  # surrogates are no characters of a text
    ask(0xE000, LAST)

    assert tuple(listed) == word_characters()


def test_a_character_is_looked_up_as_if_every_range_were_read() -> None:
    for charset in (word_characters(), (), ((5, 5),), ((0, 3), (9, LAST))):
        for symbol in (0, 1, 3, 4, 5, 6, 8, 9, 47, 48, 57, 58, 170, 0x301, 0x1F600, LAST, LAST + 1, LAST + 2):
            assert contains(charset, symbol) == any(low <= symbol <= high for low, high in charset)
