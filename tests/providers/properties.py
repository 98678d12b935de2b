"""What must hold of every compiled form, whatever the schema and the provider."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llm_schema_engines import ConversionRefused, DataRefused, InvalidRequest, InvalidSchema, LossEffect
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.limits import DEFAULT_LIMITS
from llm_schema_engines.formats.json_schema.validation import JsonDataValidator
from llm_schema_engines.providers.compiling import CompiledForm, compile_schema, enforced
from llm_schema_engines.providers.decoding import OPTIONS, Decoder
from llm_schema_engines.providers.explaining import Explanations
from llm_schema_engines.providers.findings import Fit
from llm_schema_engines.providers.profile import Profile
from llm_schema_engines.providers.proving import ProofBudget
from tests.formats.json_schema.oracles import instance

ENGINE = JsonSchemaEngine()


@dataclass
class Seen:
    """What was looked at, and what was wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def validator(schema: str) -> JsonDataValidator:
    """Of a compiled form or its meaning: the formats that are left in it count."""
    return JsonDataValidator(SchemaSource(schema.encode(), (), OPTIONS), DEFAULT_LIMITS)


def examine(
    text: str, profile: Profile, seen: Seen, r: random.Random, *, instances: int = 12, seconds: float = 0.5
) -> None:
    """Compile one schema and try the form with the witnesses of its losses and with values made for it."""
    source = SchemaSource(text.encode())
    try:
        source = SchemaSource(source.content, (), ENGINE.parse(source).options)
        opened = ENGINE.open(source)
        form = compile_schema(source, opened, profile, budget=ProofBudget(seconds, 6))
    except InvalidSchema:
        seen.counts["invalid"] += 1
        return
    except (ConversionRefused, InvalidRequest):
        seen.counts["refused"] += 1
        return
    seen.counts["compiled"] += 1
    seen.counts["lossless"] += form.lossless
    name = f"{profile.id}: {text[:300]}"
    for loss in form.losses:
        if "found by comparing" in loss.message:
            seen.problems.append(f"silent {loss.effect} at {loss.pointer} {loss.witness[:200]}: {name}")
    for finding in form.report.findings:
        if finding.fit is Fit.REFUSED and not finding.rule.startswith("limit/"):
            seen.problems.append(f"the form is refused: {finding}: {name}")
    _try(form, source, profile, seen, r, instances, name)


def _try(
    form: CompiledForm,
    source: SchemaSource,
    profile: Profile,
    seen: Seen,
    r: random.Random,
    instances: int,
    name: str,
) -> None:
    original = JsonDataValidator(source, DEFAULT_LIMITS)
    explanations = Explanations(original.opened, original)
    meant, decoder = validator(form.meant), Decoder(form.decoder)
    wire = json.loads(form.schema)
    sent = validator(json.dumps(enforced(wire, profile) if profile.enforces else {}))
    known = {
        loss.pointer
        for loss in form.losses
        if loss.effect is LossEffect.WIDENED and (loss.pointer or not loss.keyword)
    }
    for document in [loss.witness.encode() for loss in form.losses if loss.witness]:
        if not meant.accepts(document):
            continue
        answer = decoder.encode(document)
        seen.counts["encoded"] += 1
        if json.loads(decoder.decode(answer)) != json.loads(document):
            seen.problems.append(f"{document!r} comes back as {decoder.decode(answer)!r}: {name}")
        if not sent.accepts(answer):
            seen.problems.append(f"{document!r} is sent as {answer!r}, which the form refuses: {name}")
        _explained(document, original, explanations, known, seen, name)
    for answer in _answers(wire, r, instances):
        if not sent.accepts(answer):
            continue
        try:
            document = decoder.decode(answer)
        except DataRefused:
            seen.counts["not decoded"] += 1  # texts that are no JSON, pairs with one key twice: in `checks`
            continue
        seen.counts["decoded"] += 1
        if profile.enforces and not meant.accepts(document):
            seen.problems.append(f"{answer!r} decodes to {document!r}, which is not what is meant: {name}")
        _explained(document, original, explanations, known, seen, name)


def _answers(wire: Any, r: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield json.dumps(instance(r, wire, wire)).encode()


def _explained(
    document: bytes,
    original: JsonDataValidator,
    explanations: Explanations,
    known: set[str],
    seen: Seen,
    name: str,
) -> None:
    """What the schema refuses and the form accepts fails at a pointer of the report."""
    if original.accepts(document):
        seen.counts["valid"] += 1
        return
    seen.counts["refused by the schema"] += 1
    at = explanations.unexplained(document, known) if "" not in known else None
    if at is not None:
        seen.problems.append(f"{document!r} is refused at {at}, of which the report says nothing: {name}")
