"""The theory of strings: finds a text by patterns, lengths, formats and excluded texts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import formats
from .facts import Facts
from .regex.syntax import Unsupported
from .results import IMPOSSIBLE, UNKNOWN, FoundValue, SearchResult
from .values import MAX_VALUE

if TYPE_CHECKING:
    from .search import Prover

MAX_LENGTH = 1500
"""Longest minimum length, in characters, for which a text is constructed under a pattern."""
MAX_FREE_LENGTH = MAX_VALUE
"""Longest minimum length, in characters, for which a text is constructed without a pattern: what is longer is too large
for a witness."""
_LENGTHS_TRIED = 12
"""Lengths, from the least that is wanted, of which a text of a format is tried."""
_MAX_EXCLUDED = 500
"""Most excluded texts that are combined with patterns."""


def admits(prover: Prover, facts: Facts, text: str) -> bool:
    """Whether a text meets the facts."""
    evaluator = prover.evaluator
    return (
        len(text) >= facts.least
        and (facts.most is None or len(text) <= facts.most)
        and ("string", text) not in facts.excluded
        and all(evaluator.matches(pattern, text) for pattern in facts.matching)
        and not any(evaluator.matches(pattern, text) for pattern in facts.avoiding)
        and all(formats.accepts(symbol, text) for symbol in facts.formats)
        and not any(formats.accepts(symbol, text) for symbol in facts.non_formats)
    )


def solve(prover: Prover, facts: Facts) -> SearchResult:
    """A string that meets the facts; shortest first where no format is involved."""
    shaped = bool(facts.formats or facts.non_formats)
    if not shaped and not facts.matching and not facts.avoiding:
        return _free(prover, facts)
    if shaped and (text := _sample(prover, facts)) is not None:
        return FoundValue(text)
    if shaped and _no_length(facts):
        return IMPOSSIBLE
    try:
        return _construct(prover, facts, shaped=shaped)
    except Unsupported as error:
        if not shaped and (text := _sample(prover, facts)) is not None:
            return FoundValue(text)
        prover.note(f"a pattern has {error}, which is not modelled", facts)
        return UNKNOWN


def _free(prover: Prover, facts: Facts) -> SearchResult:
    """Any text of the right length that is not excluded."""
    for text in ("", "a", "b"):
        if len(text) == facts.least and ("string", text) not in facts.excluded:
            return FoundValue(text)
    if facts.most == 0:
        return IMPOSSIBLE
    length = max(facts.least, 1)
    if length > MAX_FREE_LENGTH:
        prover.note(f"a string of {_number(length)} characters is not constructed", facts)
        return UNKNOWN
    for number in range(len(facts.excluded) + 1):
        text = f"{number:x}" if number else ""
        text = "a" * (length - len(text)) + text
        if facts.most is not None and len(text) > facts.most:
            return UNKNOWN
        if ("string", text) not in facts.excluded:
            return FoundValue(text)
    return UNKNOWN


def _sample(prover: Prover, facts: Facts) -> str | None:
    for text in formats.SAMPLES:
        prover.tick()
        if admits(prover, facts, text):
            return text
    for length in range(max(facts.least, 1), min(facts.least, MAX_FREE_LENGTH) + _LENGTHS_TRIED):
        for text in (*(formats.text_of(symbol, length) for symbol in facts.formats), "a" * length):
            prover.tick(1 + length // 64)
            if admits(prover, facts, text):
                return text
    return None


def _no_length(facts: Facts) -> bool:
    """Whether no text of the formats has a length within the bounds."""
    least, most = facts.least, facts.most
    for low, high in (formats.LENGTHS.get(symbol, (0, None)) for symbol in facts.formats):
        least = max(least, low)
        most = high if most is None else most if high is None else min(most, high)
    return most is not None and least > most


def _construct(prover: Prover, facts: Facts, *, shaped: bool) -> SearchResult:
    if facts.least > MAX_LENGTH:
        prover.note(
            f"a string of {_number(facts.least)} characters under a pattern is not constructed", facts
        )
        return UNKNOWN
    words = sorted(str(key[1]) for key in facts.excluded if key[0] == "string")
    if len(words) > _MAX_EXCLUDED:
        words = [w for w in words if all(prover.evaluator.matches(p, w) for p in facts.matching)]
        prover.tick(len(words))
        if len(words) > _MAX_EXCLUDED:
            prover.note(f"a pattern and {len(words)} excluded texts are not combined", facts)
            return UNKNOWN
    shapes = [formats.SHAPES[symbol] for symbol in facts.formats if symbol in formats.SHAPES]
    search = prover.languages.find(
        matching=[*sorted(facts.matching), *shapes],
        avoiding=sorted(facts.avoiding),
        least=facts.least,
        most=facts.most,
        excluded=words,
    )
    prover.tick(1 + search.states // 16)
    if search.word is None:
        if search.complete:
            return IMPOSSIBLE
        prover.note("the patterns combine to too many states", facts)
        return UNKNOWN
    if shaped and not admits(prover, facts, search.word):
        names = ", ".join(sorted(facts.formats | facts.non_formats)).replace("\0", " ")
        prover.note(f"whether a text of format {names} exists here is not modelled", facts)
        return UNKNOWN
    return FoundValue(search.word)


def _number(count: int) -> str:
    """A count for a message: schemas may have limits of hundreds of digits."""
    text = str(count)
    return text if len(text) <= 30 else f"about 1e{len(text) - 1}"
