"""The tasks about providers of language models: check schemas, compile them, write grammars, decode answers. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llm_schema_engines.formats.engine import Engines, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.providers.checking import Survey, check_profile, sum_up
from llm_schema_engines.providers.compiling import compile_schema
from llm_schema_engines.providers.decoding import Decoder
from llm_schema_engines.providers.findings import Fit, ProfileFinding, ProfileReport, by_gravity
from llm_schema_engines.providers.grammar import grammar_for
from llm_schema_engines.providers.losses import AnswerCheck, CompileLoss
from llm_schema_engines.providers.notation import Syntax
from llm_schema_engines.providers.profile import Profile
from llm_schema_engines.providers.proving import ProofBudget
from llm_schema_engines.providers.reading import read_profile, shipped
from llm_schema_engines.providers.rulings import Rulings

from ..errors import InvalidRequest, LimitExceeded, UnsupportedSchemaType
from .task import Task, TaskFailure, TimeLimits
from .tasks import WAY_OUT


@dataclass(frozen=True, slots=True)
class GivenProfile:
    """A profile on its way to a process: its id, and its document; empty for one that comes with the engines."""

    id: str
    document: bytes = b""

    def profile(self) -> Profile:
        return self.rulings().profile

    def rulings(self) -> Rulings:
        """What it says of keywords, kept from one schema to the next."""
        return _read(self.document) if self.document else _of_shipped(shipped()[self.id])


@functools.lru_cache(maxsize=128)
def _read(document: bytes) -> Rulings:
    return Rulings(read_profile(document))


def _of_shipped(profile: Profile) -> Rulings:
    kept = _SHIPPED.get(profile.id)
    if kept is None or kept.profile is not profile:
        kept = _SHIPPED[profile.id] = Rulings(profile)
    return kept


_SHIPPED: dict[str, Rulings] = {}


def _json(engines: Engines) -> JsonSchemaEngine:
    engine = engines[SchemaType.JSON]
    if not isinstance(engine, JsonSchemaEngine):
        raise UnsupportedSchemaType(SchemaType.JSON.name)
    return engine


@dataclass(frozen=True, slots=True)
class Checked:
    """What profiles say about a schema, in the order of the profiles."""

    reports: tuple[ProfileReport, ...]


@dataclass(frozen=True, slots=True)
class CheckProfiles(Task[Checked]):
    """providers.check_profile of one schema for some profiles. findings: most of one report; characters: most of all findings
    together; those that are left out are the mildest, and their report is `truncated`. LimitExceeded for one that takes too long
    or too much memory, InternalError for one that ends its process: never a report that a gate might let pass."""

    source: SchemaSource
    profiles: tuple[GivenProfile, ...]
    tool_name: str = ""
    findings: int = 100
    characters: int = 1 << 20

    def run(self, engines: Engines) -> Checked:
        survey = Survey(_json(engines).open(self.source))
        left, reports = self.characters, []
        for given in self.profiles:
            report = check_profile(survey, given.rulings(), self.tool_name)
            kept = tuple(_kept(report.findings, self.findings, left))
            left -= sum(map(_length, kept))
            if len(kept) < len(report.findings):
                report = replace(report, findings=kept, truncated=True)
            reports.append(report)
        return Checked(tuple(reports))

    def seconds(self, limits: TimeLimits) -> float:
        return limits.parse_seconds

    def failed(self, failure: TaskFailure) -> Checked:
        raise failure.error("checking the schema against the profiles", "workers.parse_seconds", WAY_OUT)


def _kept(findings: Sequence[ProfileFinding], most: int, characters: int) -> Iterator[ProfileFinding]:
    """The gravest findings, at most `most` and of so many characters together, in their order."""
    kept: set[int] = set()
    for place in by_gravity(findings)[:most]:
        characters -= _length(findings[place])
        if characters < 0:
            break
        kept.add(place)
    return (found for place, found in enumerate(findings) if place in kept)


def _length(finding: ProfileFinding) -> int:
    return 100 + len(finding.pointer) + len(finding.message) + len(finding.keyword) + len(finding.source)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A CompiledForm in plain data; decoder: JSON text in UTF-8."""

    profile: str
    profile_version: int
    surface: str
    name: str
    envelope: str
    schema: str
    fit: Fit
    losses: tuple[CompileLoss, ...]
    widened: Verdict
    narrowed: Verdict
    checks: tuple[AnswerCheck, ...]
    not_guaranteed: tuple[str, ...]
    decoder: bytes
    meant: str
    report: ProfileReport


@dataclass(frozen=True, slots=True)
class CompileSchema(Task[Compiled]):
    """providers.compile_schema of one schema. most_bytes: of the whole result. LimitExceeded for one that is larger, takes too long
    or too much memory, InternalError for one that ends its process."""

    source: SchemaSource
    profile: GivenProfile
    surface: str
    name: str
    description: str
    prove_seconds: float
    most_bytes: int

    def run(self, engines: Engines) -> Compiled:
        """Raises InvalidRequest and ConversionRefused."""
        engine = _json(engines)
        form = compile_schema(
            self.source,
            engine.open(self.source),
            self.profile.profile(),
            surface=self.surface,
            name=self.name,
            description=self.description,
            limits=engine.limits,
            budget=ProofBudget(self.prove_seconds),
        )
        decoder = json.dumps(form.decoder, ensure_ascii=True, separators=(",", ":")).encode()
        _demand_small(
            self.most_bytes,
            (form.envelope, form.schema, form.meant, decoder.decode()),
            form.losses,
            form.checks,
            form.report.findings,
        )
        return Compiled(
            profile=form.profile,
            profile_version=form.profile_version,
            surface=form.surface,
            name=form.name,
            envelope=form.envelope,
            schema=form.schema,
            fit=form.fit,
            losses=form.losses,
            widened=form.widened,
            narrowed=form.narrowed,
            checks=form.checks,
            not_guaranteed=form.not_guaranteed,
            decoder=decoder,
            meant=form.meant,
            report=form.report,
        )

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds + self.prove_seconds

    def failed(self, failure: TaskFailure) -> Compiled:
        raise failure.error("compiling the schema", "workers.compare_seconds", WAY_OUT)


@dataclass(frozen=True, slots=True)
class WrittenGrammar:
    """A Grammar in plain data."""

    text: str
    losses: tuple[CompileLoss, ...]
    widened: Verdict
    narrowed: Verdict


@dataclass(frozen=True, slots=True)
class WriteGrammar(Task[WrittenGrammar]):
    """providers.grammar_for of one schema. Fails as CompileSchema does."""

    source: SchemaSource
    syntax: Syntax
    prove_seconds: float
    most_bytes: int

    def run(self, engines: Engines) -> WrittenGrammar:
        """Raises InvalidRequest and ConversionRefused."""
        engine = _json(engines)
        done = grammar_for(
            self.source,
            engine.open(self.source),
            self.syntax,
            limits=engine.limits,
            budget=ProofBudget(self.prove_seconds),
        )
        _demand_small(self.most_bytes, (done.text,), done.losses)
        return WrittenGrammar(done.text, done.losses, done.widened, done.narrowed)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.compare_seconds + self.prove_seconds

    def failed(self, failure: TaskFailure) -> WrittenGrammar:
        raise failure.error("writing the grammar", "workers.compare_seconds", WAY_OUT)


def _demand_small(
    most: int, texts: Sequence[str], *found: Sequence[CompileLoss | AnswerCheck | ProfileFinding]
) -> None:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    for items in found:
        for item in items:
            size += 100 + len(item.pointer) + len(item.message) + len(getattr(item, "witness", ""))
    if size > most:
        raise LimitExceeded(
            f"the result is larger than {most} bytes (setting providers.form_bytes); {WAY_OUT}",
            setting="providers.form_bytes",
        )


@dataclass(frozen=True, slots=True)
class DecodedAnswer:
    """An answer in the shape of its schema."""

    document: bytes


@dataclass(frozen=True, slots=True)
class DecodeProviderAnswer(Task[DecodedAnswer]):
    """Decoder.decode of one answer. The decoder comes from the caller: whatever it holds, nothing but the process is at stake.
    Fails as CompileSchema does."""

    decoder: bytes
    answer: bytes
    most_bytes: int

    def run(self, engines: Engines) -> DecodedAnswer:
        """Raises InvalidRequest for what is no decoder, DataRefused for an answer that cannot be taken back."""
        try:
            program = json.loads(self.decoder)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("decoder", f"is not JSON: {str(error)[:200]}") from error
        try:
            document = Decoder(program, _json(engines).limits).decode(self.answer)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
            raise InvalidRequest(
                "decoder", "is no decoder that CompileForProvider made; send it as it came"
            ) from error
        if len(document) > self.most_bytes:
            raise InvalidRequest(
                "data",
                f"becomes {len(document)} bytes long; the limit is {self.most_bytes} (setting limits.data_bytes)",
            )
        return DecodedAnswer(document)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.validate_seconds

    def failed(self, failure: TaskFailure) -> DecodedAnswer:
        raise failure.error("decoding the answer", "workers.validate_seconds", "send a smaller answer")


@dataclass(frozen=True, slots=True)
class Found:
    """What one profile says about one schema: the gravest finding, and how many there are."""

    profile: str
    profile_version: int
    fit: Fit
    pointer: str
    keyword: str
    rule: str
    message: str
    findings: int


@dataclass(frozen=True, slots=True)
class JudgedSchema:
    """What all profiles say about one schema."""

    profiles: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The same of several schemas, in their order; of none where the process gave no result."""

    schemas: tuple[JudgedSchema, ...]


@dataclass(frozen=True, slots=True)
class JudgeSchemas(Task[Judged]):
    """The verdicts of profiles about several schemas. Unless it is `alone`, nothing is found when the process gave no result: each
    schema is then to be asked about by itself, and fails as CheckProfiles does."""

    sources: tuple[SchemaSource, ...]
    profiles: tuple[GivenProfile, ...]
    alone: bool = False

    def run(self, engines: Engines) -> Judged:
        engine = _json(engines)
        return Judged(tuple(JudgedSchema(tuple(self._of(engine, source))) for source in self.sources))

    def _of(self, engine: JsonSchemaEngine, source: SchemaSource) -> Iterator[Found]:
        survey = Survey(engine.open(source))
        for given in self.profiles:
            rulings = given.rulings()
            summary = sum_up(survey, rulings)
            worst, profile = summary.gravest, rulings.profile
            told = ("", "", "", "") if worst is None else _told(worst)
            yield Found(profile.id, profile.version, summary.fit, *told, findings=summary.findings)

    def seconds(self, limits: TimeLimits) -> float:
        return limits.parse_seconds

    def failed(self, failure: TaskFailure) -> Judged:
        if not self.alone:
            return Judged(())
        raise failure.error("checking the schema against the profiles", "workers.parse_seconds", WAY_OUT)


def _told(finding: ProfileFinding) -> tuple[str, str, str, str]:
    return finding.pointer, finding.keyword, finding.rule, finding.message
