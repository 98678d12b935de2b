"""The meaning of a search, for all back ends: the words of a version, and the filter as a predicate. Pure.

A word is a run of letters and digits, compared without regard to case. The schema's names are also indexed by their
camelCase parts, so that `address` finds `shippingAddress`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from ..model.pattern import matches as fits
from ..model.schema import SchemaVersion
from .values import SchemaFilter

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_0-9]+|[0-9]+")
_PARTED = re.compile(r"[A-Z0-9]|[^\x00-\x7f]")
"""Without any of these, no run has more than one part."""
_LONGEST_WORD = 200
"""Characters of a word that are indexed; a hostile name cannot fill an index page."""
_MOST_BYTES = 256 * 1024
"""UTF-8 bytes of distinct words that are indexed of one version's names, and again of the rest; later ones are not."""
_SHORT = 100
"""Characters of a text whose words are cached: names of subjects and of fields occur again with every version."""
_GROWTH = 24
"""Most bytes that the words of a character can take: three characters of four bytes, as word and as part."""


def words_of(text: str) -> list[str]:
    """The words of a query or of prose, in order, case folded."""
    folded = text.casefold()
    found: list[str] = _WORD.findall(folded)
    return found if len(folded) <= _LONGEST_WORD else [word[:_LONGEST_WORD] for word in found]


def about_words(version: SchemaVersion) -> set[str]:
    """The words of subject, description, tags and metadata values."""
    texts = (str(version.subject), version.description or "", *version.tags, *version.metadata.values())
    return index_words(texts)


def name_words(names: Iterable[str]) -> set[str]:
    """The words of the schema's own names (types, fields)."""
    return index_words(names)


def index_words(texts: Iterable[str]) -> set[str]:
    """The words of these texts and their camelCase parts, as far as there is room for them."""
    texts = tuple(texts)
    found: set[str] = set()
    if _GROWTH * sum(map(len, texts)) <= _MOST_BYTES:
        return found.union(*map(_words_and_parts, texts))
    room = _MOST_BYTES
    for word in chain.from_iterable(map(_words_and_parts, texts)):
        if word not in found:
            room -= len(word.encode())
            if room < 0:
                break
            found.add(word)
    return found


def _words_and_parts(text: str) -> Sequence[str]:
    return _short_texts_words(text) if len(text) <= _SHORT else _cut(text)


def _cut(text: str) -> tuple[str, ...]:
    found = words_of(text)
    if _PARTED.search(text) is not None:  # else the parts are the words
        for run in _WORD.findall(text):
            found += [part.casefold()[:_LONGEST_WORD] for part in _PART.findall(run)]
    return tuple(found)


_short_texts_words = lru_cache(maxsize=4096)(_cut)


def labels(tags: Iterable[str], metadata: Iterable[tuple[str, str]]) -> set[str]:
    """One exact-match key per tag and per metadata pair, as the indexed back ends store them: 32 digits each."""
    return {_label("tag", tag) for tag in tags} | {_label("meta", *pair) for pair in metadata}


def _label(*parts: str) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def matches(version: SchemaVersion, words: Sequence[str], wanted: SchemaFilter) -> bool:
    """Whether a version with these sorted index words passes the filter; `latest_only` is the caller's."""
    name = str(version.subject)
    return (
        (wanted.include_deleted or version.live)
        and (wanted.schema_type is None or version.schema_type is wanted.schema_type)
        and (wanted.state is None or version.state is wanted.state)
        and wanted.subject in ("", name)
        and wanted.scope.contains(name)
        and name.startswith(wanted.subject_prefix)
        and (not wanted.subject_pattern or fits(wanted.subject_pattern, name))
        and set(wanted.tags) <= set(version.tags)
        and all(version.metadata.get(key) == value for key, value in wanted.metadata.items())
        and all(any(word.startswith(start) for word in words) for start in words_of(wanted.text))
    )


def literal_prefix(pattern: str) -> str:
    """What every text that fits the pattern begins with."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def prefix_end(prefix: str) -> str | None:
    """The least text, by code points, greater than all that begin with `prefix`; None when there is none."""
    prefix = prefix.rstrip(chr(sys.maxunicode))  # after which nothing comes
    if not prefix:
        return None
    last = ord(prefix[-1])
    following = last + 1 if not 0xD7FF <= last < 0xDFFF else 0xE000  # surrogates are no characters
    return prefix[:-1] + chr(following)


def ranges(wanted: SchemaFilter) -> Iterator[tuple[str, str | None]]:
    """The half-open ranges of qualified subjects outside which nothing can pass the filter."""
    return intervals(wanted.subject_prefix, literal_prefix(wanted.subject_pattern))


def intervals(*prefixes: str) -> Iterator[tuple[str, str | None]]:
    """The half-open range of each of these prefixes that is not empty."""
    for prefix in prefixes:
        if prefix:
            yield prefix, prefix_end(prefix)
