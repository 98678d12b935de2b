"""A schema type small enough to reason about: a schema is a list of words, data is a word, every rule is obvious.

`a b` accepts the data `a` and `b`. `# text` lines are annotations. A word with `!` is invalid. A reader accepts a
writer when it has all its words; a word with `?` in either makes that undecidable. A word `@name` uses the reference
`name` and adds its words.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.formats.outline import differences
from llm_schema_engines.formats.validation_cost import ValidatorWithBound
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Verdict,
    Violation,
    Witness,
)
from llm_schema_engines.model.difference import Differences
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.validation import DataIssue, DataReport, Encoding
from llm_schema_registry_server.errors import InvalidSchema, SchemaIssue


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def words(source: SchemaSource) -> list[str]:
    found: list[str] = []
    for line in source.content.decode().splitlines():
        for word in [] if line.startswith("#") else line.split():
            if word.startswith("@"):
                used = next((r for r in source.references if r.name == word[1:]), None)
                if used is None:
                    raise InvalidSchema(
                        [SchemaIssue("UNKNOWN_NAME", f"{word!r} is not among the references")]
                    )
                found += words(SchemaSource(used.content, used.references))
            else:
                found.append(word)
    return found


@dataclass(frozen=True)
class WordValidator:
    words: frozenset[str]
    size: int = 100

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        word = payload.decode()
        if word in self.words:
            return DataReport(True)
        return DataReport(False, (DataIssue("", f"{word!r} is not a word of the schema", "word"),))


class Always:
    """The bound of what is always cheap."""

    def within(self, seconds: float, payload: bytes, *, encoding: Encoding, strict: bool) -> bool:
        return True


class WordEngine:
    version = "words-1"

    def __init__(self, schema_type: SchemaType = SchemaType.JSON) -> None:
        self.schema_type = schema_type
        self.parsed = 0
        self.compared = 0

    def parse(self, source: SchemaSource, *, strict: bool = True) -> ParsedSchema:
        self.parsed += 1
        found = words(source)
        bad = [w for w in found if "!" in w]
        if bad and strict:
            raise InvalidSchema(
                [SchemaIssue("BAD_WORD", f"{w!r} has an exclamation mark", "/" + w) for w in bad]
            )
        text = " ".join(source.content.decode().split())
        return ParsedSchema(
            schema_type=self.schema_type,
            canonical=" ".join(sorted(text.split())).encode(),
            fingerprints=Fingerprints(
                sha(source.content), sha(text.encode()), sha(" ".join(sorted(set(found))).encode())
            ),
            names=tuple(dict.fromkeys(found)),
            options=dict(source.options),
        )

    def quick_proof(
        self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions
    ) -> Comparison | None:
        """Of the same text."""
        return Comparison(Verdict.YES) if reader.content == writer.content else None

    def compare(self, reader: SchemaSource, writer: SchemaSource, options: CompareOptions) -> Comparison:
        self.compared += 1
        reads, writes = set(words(reader)), set(words(writer))
        doubt = sorted(w for w in reads | writes if "?" in w)
        if doubt:
            return Comparison(
                Verdict.UNDECIDED,
                (Violation("DOUBT", "/" + doubt[0], "has a question mark", undecided=True),),
            )
        missing = sorted(writes - reads)
        return Comparison(
            Verdict.NO if missing else Verdict.YES,
            tuple(
                Violation("WORD_MISSING", "/" + w, f"{w!r} is not read", witness=Witness(w.encode(), w))
                for w in missing
            ),
        )

    def diff(self, old: SchemaSource, new: SchemaSource) -> Differences:
        return differences(dict.fromkeys(words(old), "word"), dict.fromkeys(words(new), "word"))

    def compile_validator(self, source: SchemaSource) -> WordValidator:
        return WordValidator(frozenset(words(source)))

    def compile_bounded(self, source: SchemaSource, seconds: float) -> ValidatorWithBound:
        return ValidatorWithBound(self.compile_validator(source), Always())
