"""The public functions about providers of language models: profiles, checks and compiled forms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import InvalidRequest
from ..formats.engine import FormatEngine
from ..formats.json_schema.engine import JsonSchemaEngine
from ..model.schema import SchemaType
from ..providers.checking import Survey, check_profile
from ..providers.compiling import CompiledForm, compile_schema
from ..providers.findings import ProfileReport
from ..providers.grammar import Grammar
from ..providers.grammar import grammar_for as write_grammar
from ..providers.notation import Syntax
from ..providers.profile import Profile
from ..providers.proving import ProofBudget
from ..providers.reading import read_profile, shipped
from .arguments import expect, plain_text, schema_bytes
from .schema import Schema

ProfileLike = str | Profile
"""A profile, or the id of one that comes with this package."""
MOST_SECONDS = 60.0


def provider_profiles() -> Mapping[str, Profile]:
    """The profiles that come with this package, by id."""
    return shipped()


def provider_profile(content: bytes | str) -> Profile:
    """A profile of one's own from its JSON text. Raises InvalidRequest, naming the place that is wrong."""
    return read_profile(schema_bytes(content, "content"))


def chosen(profile: ProfileLike) -> Profile:
    """The profile that is meant. Raises InvalidRequest for an id that none has."""
    if isinstance(profile, Profile):
        return profile
    name = plain_text(profile, "profile")
    known = shipped().get(name)
    if known is None:
        raise InvalidRequest(
            "profile", f"there is no profile {name[:80]!r}; there are {', '.join(shipped())}"
        )
    return known


def check_for(
    engine: FormatEngine, schema: Schema, profiles: Iterable[ProfileLike] | ProfileLike, name: str
) -> dict[str, ProfileReport]:
    """The reports of several profiles, by id."""
    survey = Survey(json_engine(engine, schema).open(schema.source))
    given = [profiles] if isinstance(profiles, str | Profile) else list(profiles)
    plain_text(name, "name")
    return {p.id: check_profile(survey, p, name) for p in map(chosen, given)}


def compile_for(
    engine: FormatEngine,
    schema: Schema,
    profile: ProfileLike,
    surface: str,
    name: str,
    description: str,
    prove_seconds: float,
) -> CompiledForm:
    """The form of a schema for one profile."""
    known = json_engine(engine, schema)
    return compile_schema(
        schema.source,
        known.open(schema.source),
        chosen(profile),
        surface=plain_text(surface, "surface"),
        name=plain_text(name, "name"),
        description=plain_text(description, "description"),
        limits=known.limits,
        budget=ProofBudget(seconds(prove_seconds)),
    )


def grammar_for(engine: FormatEngine, schema: Schema, syntax: Syntax, prove_seconds: float) -> Grammar:
    """The grammar of a schema."""
    known = json_engine(engine, schema)
    budget = ProofBudget(seconds(prove_seconds))
    return write_grammar(schema.source, known.open(schema.source), syntax, limits=known.limits, budget=budget)


def seconds(prove_seconds: object) -> float:
    """The processor time for proofs. Raises InvalidRequest when it is no number from 0 to 60."""
    if (
        not isinstance(prove_seconds, int | float)
        or isinstance(prove_seconds, bool)
        or not 0 <= prove_seconds <= MOST_SECONDS
    ):
        raise InvalidRequest("prove_seconds", f"must be a number from 0 to {MOST_SECONDS:g}")
    return float(prove_seconds)


def json_engine(engine: FormatEngine, schema: Schema) -> JsonSchemaEngine:
    """The engine of a JSON Schema; raises InvalidRequest for a schema of another type."""
    if not isinstance(engine, JsonSchemaEngine):
        raise InvalidRequest(
            "schema",
            f"is {expect(SchemaType, schema.schema_type, 'schema_type').name}: providers take JSON Schema; convert it first",
        )
    return engine
