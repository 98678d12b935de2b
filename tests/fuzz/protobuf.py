"""The kinds of questions about Protobuf."""

from __future__ import annotations

from random import Random

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.decoded import missing_required
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions, Severity, Strictness, Verdict
from llm_schema_engines.model.validation import Encoding
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF
from tests.formats.conversion.test_promises import check_direction
from tests.formats.protobuf import mutants
from tests.formats.protobuf.kit import ENGINE
from tests.formats.protobuf.pairs import PairMaker, sources
from tests.formats.protobuf.payloads import Payloads
from tests.formats.protobuf.test_agreement import check_pair, shown
from tests.formats.protobuf.test_oracle import agree
from tests.formats.protobuf.test_random_pairs import inhabited

from . import mutations
from .kinds import Kind, Outcome


def agreement(random: Random, outcome: Outcome) -> None:
    """What is valid under the old schema of a pair with YES is valid under the new one, at every strictness."""
    made = sources(random)
    for reader, writer in (made, made[::-1]) if made else ():
        outcome.findings += check_pair(reader, writer, random, outcome.counts)


def values(random: Random, outcome: Outcome) -> None:
    """At WIRE: data of the writer is read as the same values after a YES; every NO shows data that is not."""
    made = sources(random)
    for reader, writer in (made, made[::-1]) if made else ():
        comparison = ENGINE.compare(reader, writer, CompareOptions(Strictness.WIRE))
        outcome.counts[comparison.verdict.name] += 1
        wrote, reads = CompiledSchema(writer.artifact), CompiledSchema(reader.artifact)
        if comparison.verdict is Verdict.NO and inhabited(wrote):
            for v in comparison.violations:
                if v.severity is Severity.ERROR and v.witness is None:
                    outcome.findings.append(f"no witness of {v}: {shown(writer)} -> {shown(reader)}")
        if comparison.verdict is not Verdict.YES:
            continue
        payloads = Payloads(wrote, random)
        for name in wrote.schema.own_messages():
            theirs, mine = wrote.message(f"t.{name}"), reads.message(f"t.{name}")
            assert theirs is not None
            assert mine is not None
            for _ in range(4):
                data = payloads.written(f"t.{name}")
                if data is None or missing_required(theirs.FromString(data)):
                    continue
                outcome.counts["payloads"] += 1
                try:
                    read = mine.FromString(data)
                    kept = not missing_required(read) and agree(theirs.FromString(data), read)
                except DecodeError:
                    kept = False
                if not kept:
                    outcome.findings.append(
                        f"YES, but {data!r} of {name}: {shown(writer)} -> {shown(reader)}"
                    )


def validator(random: Random, outcome: Outcome) -> None:
    """What we take as JSON protobuf's own parser takes, and what that writes we take."""
    try:
        source = PairMaker(random).schema().source()
    except InvalidSchema:
        outcome.counts["refused"] += 1
        return
    compiled, judged = CompiledSchema(source.artifact), ENGINE.compile_validator(source)
    payloads = Payloads(compiled, random)
    for name in (f"t.{name}" for name in compiled.schema.own_messages()):
        kind = compiled.message(name)
        assert kind is not None
        for payload, encoding in payloads.some(name, 5):
            mine = judged.validate(payload, encoding=encoding, strict=True, message_name=name).valid
            outcome.counts[f"{encoding.name} {'valid' if mine else 'invalid'}"] += 1
            message = kind()
            try:
                if encoding is Encoding.JSON:
                    json_format.Parse(payload, message, descriptor_pool=compiled.pool)
                else:
                    message.ParseFromString(payload)
                theirs, why = not missing_required(message), "fields are missing"
            except (json_format.ParseError, DecodeError) as error:
                theirs, why = False, str(error)
            if mine and not theirs and not excused(why):
                outcome.findings.append(
                    f"we accept, they do not ({why}): {payload!r} of {name}: {shown(source)}"
                )
            if theirs and encoding is Encoding.BINARY and mine:
                try:
                    written = json_format.MessageToJson(message, descriptor_pool=compiled.pool).encode()
                except (json_format.SerializeToJsonError, ValueError, TypeError):
                    outcome.counts["no JSON form"] += 1  # such as a Timestamp of year 20000
                    continue
                report = judged.validate(written, encoding=Encoding.JSON, strict=True, message_name=name)
                if not report.valid and not excused(str(report.errors[0])):
                    outcome.findings.append(
                        f"they write {written!r} of {name}, we refuse it ({report.errors[0]}): {shown(source)}"
                    )


def excused(why: str) -> bool:
    """Where protobuf's Python runtime does not read what it writes: field masks of other names, NullValue in lists and maps."""
    return any(
        words in why
        for words in ("lowerCamelCase", "null is not allowed to be used as an element", "'NoneType'")
    )


def texts(random: Random, outcome: Outcome) -> None:
    """Mutants of schemas with every construct, as text and as descriptors: refused or understood."""
    content = mutants.text_mutant(random)
    if random.random() < 0.6:
        content = mutations.changed_proto(" ".join(random.choice(mutants.SEEDS)).encode(), random)
    for _ in range(2):
        found = mutations.parsed_source(PROTOBUF, content, outcome)
        if found is None:
            return
        source, parsed = found
        mutations.check_canonical(PROTOBUF, source, parsed, outcome)
        for strictness in Strictness:
            ENGINE.compare(source, SchemaSource(b"", artifact=parsed.artifact), CompareOptions(strictness))
        content = mutants.descriptor_mutant(parsed.artifact, random)


KINDS = (
    Kind("agreement", "the validator", agreement),
    Kind("values", "protobuf's runtime", values),
    Kind("validator", "protobuf's runtime and json_format", validator),
    Kind("texts", "protoc", texts),
    Kind("mutations", "no crash, no internal error, 5 s", lambda r, o: mutations.ask(PROTOBUF, r, o)),
    Kind(
        "conversions",
        "the target's validator",
        lambda r, _: check_direction(PROTOBUF, r.choice([JSON, AVRO]), r),
    ),
)
