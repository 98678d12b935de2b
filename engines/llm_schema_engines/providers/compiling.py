"""Compiles a JSON Schema into the form that a provider takes and enforces, and proves what is lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConversionRefused, InvalidRequest
from ..formats.engine import SchemaSource
from ..formats.json_schema.canonical import dump
from ..formats.json_schema.compiled import OpenedSchema, open_schema
from ..formats.json_schema.limits import DEFAULT_LIMITS, JsonSchemaLimits
from ..formats.json_schema.parsing import parse_opened
from ..model.compatibility import Verdict
from .checking import check_name, check_profile, concerned, reference_kind
from .conditions import Site
from .findings import Fit, ProfileReport
from .forms import Form
from .losses import AnswerCheck, CompileLoss, LossEffect, PendingLoss
from .places import all_places
from .profile import Profile, Support
from .proving import LossProver, ProofBudget
from .rewriting import Rewriter
from .rulings import shape_cell
from .shapes import usable_name

WRAPPED = "value"
"""The property that holds an answer whose root is no object."""
DEFAULT_BUDGET = ProofBudget()
MOST_NAME = 200
"""Characters of a name that a caller gives."""


@dataclass(frozen=True, slots=True)
class CompiledForm:
    """A schema as a provider takes it.

    envelope: what goes into the request, as JSON text: the tool or the response format. schema: the schema in it, as JSON text, its
    keys in the order of the original. name: as it is sent. losses: what the compiled form accepts more or less, and the texts that
    it lacks; widened, narrowed: whether it accepts more, or less: YES is proved not, NO has a witness. checks: what must be checked
    after an answer: decode it and validate it against the original. decoder: the program of `Decoder`, as JSON.
    report: the compiled form itself against the profile: REFUSED when a limit is exceeded. meant: what decoded answers are valid
    under, as JSON text.
    """

    profile: str
    profile_version: int
    surface: str
    name: str
    envelope: str
    schema: str
    losses: tuple[CompileLoss, ...]
    widened: Verdict
    narrowed: Verdict
    checks: tuple[AnswerCheck, ...]
    not_guaranteed: tuple[str, ...]
    decoder: Mapping[str, Any] = field(repr=False)
    report: ProfileReport = field(repr=False)
    meant: str = field(repr=False)

    @property
    def lossless(self) -> bool:
        """Whether it is proved that the compiled form accepts exactly what the schema accepts."""
        return self.widened is Verdict.YES and self.narrowed is Verdict.YES

    @property
    def fit(self) -> Fit:
        """How the compiled form, sent in place of the schema, fits: REFUSED when it exceeds a limit."""
        if self.report.fit in (Fit.REFUSED, Fit.UNKNOWN):
            return self.report.fit
        return Fit.FITS if self.lossless and self.report.fit is Fit.FITS else Fit.FITS_WITH_LOSS

    def __bool__(self) -> bool:
        return self.fit is not Fit.REFUSED


def compile_schema(
    source: SchemaSource,
    opened: OpenedSchema,
    profile: Profile,
    *,
    surface: str = "",
    name: str = "",
    description: str = "",
    limits: JsonSchemaLimits = DEFAULT_LIMITS,
    budget: ProofBudget = DEFAULT_BUDGET,
) -> CompiledForm:
    """The form of a parsed schema for a provider.

    surface: one of the profile's envelopes, "" for its first. name: of the tool or format, "" for the schema's title; what the
    provider does not take in it is replaced. description: "" for the schema's own.
    Raises InvalidRequest for a surface that the profile has not, and for what would be too large; ConversionRefused for a schema
    under which nothing is valid.
    """
    envelope_name, envelope = _envelope(profile, surface)
    chosen = choose_name(profile, name or _text(opened.content, "title") or "schema")
    described = description or _text(opened.content, "description")
    if profile.enforces:
        rewriter = Rewriter(opened, profile)
        try:
            form = rewriter.convert((opened.root,), root=True)
        except RecursionError as error:
            raise InvalidRequest("schema", "nests too deep to be compiled; make it flatter") from error
        if form is None:
            raise ConversionRefused(
                "", "no value is valid under this schema; there is nothing to ask a model for"
            )
        definitions, pending, checks = (
            rewriter.definitions,
            list(rewriter.pending.values()),
            list(rewriter.checks.values()),
        )
        form = _as_root(_inlined(form, definitions), profile)
    else:
        definitions, pending, checks = {}, [], []
        form, losses = _verbatim(opened, profile)
        pending.extend(losses)
    wire, meant, codecs = _bundled(
        form, definitions, roots=profile.cell(Site("$ref", "#", {})).support is Support.ENFORCED
    )
    proved = LossProver(source, opened.content, meant, limits, budget).prove(pending)
    for loss in proved.losses:
        if loss.effect is LossEffect.WIDENED and proved.widened is not Verdict.YES:
            checks.append(AnswerCheck(loss.pointer, loss.keyword, loss.message))
    sent = SchemaSource(dump(wire, sort=False).encode(), (), {})
    sent_opened = open_schema(sent, limits)
    parse_opened(sent, sent_opened, limits, strict=False)
    words = {"name": chosen, "description": described, "schema": wire, "schema_text": sent.content.decode()}
    program = {
        "format": 1,
        "codec": _telling(codecs.get("", None), profile),
        "definitions": {k: _telling(v, profile) for k, v in codecs.items() if k},
    }
    if _judges(program):
        program["wire_definitions"] = {k: enforced(f.wire, profile) for k, f in definitions.items()}
        program["meant_definitions"] = {k: f.meant for k, f in definitions.items()}
    report = check_profile(sent_opened, profile)
    keywords = {w for p in all_places(opened) if isinstance(p.schema, dict) for w in p.schema}
    return CompiledForm(
        profile.id,
        profile.version,
        envelope_name,
        chosen,
        dump(_filled(envelope, words), sort=False),
        sent.content.decode(),
        proved.losses,
        proved.widened,
        proved.narrowed,
        tuple(checks),
        concerned(profile, keywords),
        program,
        report,
        dump(meant, sort=False),
    )


def choose_name(profile: Profile, name: str) -> str:
    """The name as the provider takes it; always the same for the same name."""
    if len(name) > MOST_NAME:
        raise InvalidRequest("name", f"has {len(name)} characters; the limit is {MOST_NAME}")
    rule = profile.tool_name
    if rule is None or not list(check_name(profile, name)):
        return name
    return usable_name(name, rule.pattern, rule.most)


def choose_names(profile: Profile, names: Iterable[str]) -> dict[str, str]:
    """The names of several tools as the provider takes them, each different: those that meet are numbered in the order given,
    so that adding a tool at the end renames none."""
    rule, taken, out = profile.tool_name, set[str](), {}
    for name in dict.fromkeys(names):
        sent = base = choose_name(profile, name)
        number = 1
        while sent in taken:
            number += 1
            end = f"_{number}"
            sent = f"{base[: rule.most - len(end)] if rule is not None and rule.most else base}{end}"
        taken.add(sent)
        out[name] = sent
    return out


def _envelope(profile: Profile, surface: str) -> tuple[str, Any]:
    if not surface:
        return next(iter(profile.envelopes.items()), ("schema", {"schema": "$schema"}))
    if surface not in profile.envelopes:
        known = ", ".join(profile.envelopes) or "none"
        raise InvalidRequest("surface", f"{surface[:60]!r} is no surface of {profile.id}; it has {known}")
    return surface, profile.envelopes[surface]


def _filled(envelope: Any, words: Mapping[str, Any]) -> Any:
    """The envelope with what its words stand for; a description that is empty is left out."""
    if isinstance(envelope, dict):
        return {
            key: _filled(value, words)
            for key, value in envelope.items()
            if not (value == "$description" and not words["description"])
        }
    if isinstance(envelope, list):
        return [_filled(value, words) for value in envelope]
    if isinstance(envelope, str) and envelope.startswith("$") and envelope[1:] in words:
        return words[envelope[1:]]
    return envelope


def _text(content: Any, keyword: str) -> str:
    value = content.get(keyword) if isinstance(content, dict) else None
    return (
        value[:MOST_NAME]
        if isinstance(value, str) and keyword == "title"
        else value
        if isinstance(value, str)
        else ""
    )


def _inlined(form: Form, definitions: Mapping[str, Form]) -> Form:
    """A root that only refers to a definition, as the definition."""
    seen = set()
    while "$ref" in form.wire:
        name = form.wire["$ref"].rpartition("/")[2]
        if name in seen:
            break
        seen.add(name)
        form = definitions[name]
    return form


def _as_root(form: Form, profile: Profile) -> Form:
    """The form under an object, where the provider takes no other root."""
    is_object = form.wire.get("type") == "object"
    union = any(word in form.wire for word in ("anyOf", "oneOf", "allOf"))
    takes_any = shape_cell(profile, "root_any").support in (Support.ENFORCED, Support.ACCEPTED)
    takes_union = shape_cell(profile, "root_union").support in (Support.ENFORCED, Support.ACCEPTED)
    if (is_object or takes_any) and (not union or takes_union):
        return form
    wire: dict[str, Any] = {"type": "object", "properties": {WRAPPED: form.wire}, "required": [WRAPPED]}
    if shape_cell(profile, "open_object").support is not Support.ACCEPTED and _can_close(profile):
        wire["additionalProperties"] = False
    return Form(wire, form.meant, {"k": "wrap", "key": WRAPPED, "of": form.codec})


def _can_close(profile: Profile) -> bool:
    return profile.cell(Site("additionalProperties", False, {})).support is Support.ENFORCED


def _verbatim(opened: OpenedSchema, profile: Profile) -> tuple[Form, list[Any]]:
    """The schema as it is, for a provider that enforces nothing of it, or of which nothing is known."""
    if opened.members or any(
        reference_kind(opened, p, p.schema["$ref"]) == "remote"
        for p in all_places(opened)
        if isinstance(p.schema, dict) and "$ref" in p.schema
    ):
        raise ConversionRefused(
            "",
            f"{profile.id} is sent the schema as it is, and this one refers to other documents; write them into its $defs",
        )
    content = opened.content if isinstance(opened.content, dict) else ({} if opened.content else {"not": {}})
    cell = profile.enforcement
    source = profile.sources[cell.source].title if cell.source else ""
    note = f" ({cell.note})" if cell.note else ""
    known = "known to be " if cell.support is Support.UNKNOWN else ""
    loss = CompileLoss(
        LossEffect.WIDENED,
        "",
        "",
        f"nothing of the schema is {known}enforced{note}",
        basis=cell.basis,
        source=source,
        as_of=cell.as_of,
    )
    form = Form(dict(content), True, None)
    is_object = content.get("type") == "object"
    union = any(word in content for word in ("anyOf", "oneOf", "allOf", "$ref"))
    if (
        not is_object
        and shape_cell(profile, "root_any").support in (Support.REJECTED, Support.UNKNOWN)
        and profile.structure
    ) or (union and shape_cell(profile, "root_union").support is Support.REJECTED):
        held = {
            k: v
            for k, v in content.items()
            if k in ("$defs", "definitions", "$schema", "$id", "id", "$anchor")
        }
        if any(
            isinstance(p.schema, dict)
            and "$ref" in p.schema
            and p.schema["$ref"].startswith("#")
            and not p.schema["$ref"].startswith(("#/$defs/", "#/definitions/"))
            for p in all_places(opened)
        ):
            raise ConversionRefused(
                "",
                f"{profile.id} takes no root like this one, and it cannot be put under an object: a reference leads to it",
            )
        inner = {k: v for k, v in content.items() if k not in held}
        wire = {**held, "type": "object", "properties": {WRAPPED: inner}, "required": [WRAPPED]}
        form = Form(wire, True, {"k": "wrap", "key": WRAPPED, "of": None})
    return form, [PendingLoss(loss, ())]


def _pointing_at_root(value: Any, reference: str) -> Any:
    if isinstance(value, dict):
        return {
            k: "#" if k == "$ref" and v == reference else _pointing_at_root(v, reference)
            for k, v in value.items()
        }
    return [_pointing_at_root(v, reference) for v in value] if isinstance(value, list) else value


def _bundled(
    form: Form, definitions: Mapping[str, Form], *, roots: bool
) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """roots: whether a reference to the root is taken. The whole documents that are sent and meant, with the definitions that they use, and the codecs by definition; "" is the root."""
    itself = next((name for name, known in definitions.items() if known is form), None)
    used = _reached(form.wire, definitions, lambda f: f.wire)
    if itself is not None and roots:
        used = [name for name in used if name != itself]
    wire = {**form.wire, "$defs": {k: definitions[k].wire for k in used}} if used else form.wire
    if itself is not None and roots:
        wire = _pointing_at_root(wire, f"#/$defs/{itself}")
    needed = _reached(form.meant, definitions, lambda f: f.meant)
    meant = form.meant
    if needed:
        meant = {**meant, "$defs": {k: definitions[k].meant for k in needed}}
    codecs = {"": form.codec, **{name: definitions[name].codec for name in definitions}}
    return wire, meant, _pruned(codecs)


def _reached(value: Any, definitions: Mapping[str, Form], side: Any) -> list[str]:
    found: dict[str, None] = {}
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            reference = item.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/$defs/"):
                name = reference[8:]
                if name in definitions and name not in found:
                    found[name] = None
                    stack.append(side(definitions[name]))
            stack.extend(v for v in item.values() if isinstance(v, dict | list))
        elif isinstance(item, list):
            stack.extend(v for v in item if isinstance(v, dict | list))
    return sorted(found, key=list(definitions).index)


def _pruned(codecs: dict[str, Any]) -> dict[str, Any]:
    """The codecs without those that change nothing: a reference to a definition counts only when something in it does."""
    working = {name for name, codec in codecs.items() if _does(codec, frozenset())}
    while True:
        more = {
            name for name, codec in codecs.items() if name not in working and _does(codec, frozenset(working))
        }
        if not more:
            break
        working |= more
    return {name: _without(codec, frozenset(working)) for name, codec in codecs.items() if name in working}


def _does(codec: Any, working: frozenset[str]) -> bool:
    """Whether a codec changes anything, if the definitions in `working` do."""
    return _without(codec, working) is not None


def _without(codec: Any, working: frozenset[str]) -> Any:
    if codec is None:
        return None
    match codec["k"]:
        case "ref":
            return codec if codec["name"] in working else None
        case "null_or":
            inner = _without(codec["of"], working)
            return None if inner is None else {"k": "null_or", "of": inner}
        case "wrap":
            return {**codec, "of": _without(codec["of"], working)}
        case "pairs":
            return {**codec, "of": _without(codec.get("of"), working)}
        case "array":
            items = _without(codec.get("items"), working)
            prefix = [_without(c, working) for c in codec.get("prefix", ())]
            if items is None and not any(prefix):
                return None
            return {"k": "array", "items": items, "prefix": prefix}
        case "choice":
            branches = [{**b, "of": _without(b["of"], working)} for b in codec["branches"]]
            return {"k": "choice", "branches": branches} if any(b["of"] for b in branches) else None
        case "object":
            properties = {}
            for name, known in codec["properties"].items():
                kept = {**known, "of": _without(known.get("of"), working)}
                kept = {k: v for k, v in kept.items() if v is not None}
                if kept:
                    properties[name] = kept
            values = _without(codec.get("values"), working)
            if not properties and values is None and "pairs" not in codec:
                return None
            out = {"k": "object", "properties": properties}
            if values is not None or "pairs" in codec:
                out.update(values=values, declared=codec["declared"])
            if "pairs" in codec:
                out["pairs"] = codec["pairs"]
                out["open"] = codec.get("open", False)
            return out
    return codec


def enforced(schema: Any, profile: Profile, *, names: bool = False) -> Any:
    """What is sent, without the keywords that the provider takes and does not enforce, in terms of JSON Schema. names: the keys are
    names, no keywords."""
    if isinstance(schema, dict):
        out = {
            word: enforced(value, profile, names=word in ("properties", "$defs") and not names)
            for word, value in schema.items()
            if names
            or word == "$defs"
            or profile.cell(Site(word, value, schema)).support is not Support.ACCEPTED
        }
        nullable = profile.null_form == "nullable" and not names and out.pop("nullable", False) is True
        return {"anyOf": [out, {"type": "null"}]} if nullable else out
    return [enforced(item, profile) for item in schema] if isinstance(schema, list) else schema


def _telling(codec: Any, profile: Profile, *, names: bool = False) -> Any:
    """The codec, whose alternatives are told apart by what the provider enforces. names: the keys are names of properties."""
    if isinstance(codec, dict):
        return {
            key: enforced(value, profile)
            if key == "wire" and not names
            else value
            if key == "meant" and not names
            else _telling(value, profile, names=key == "properties" and not names)
            for key, value in codec.items()
        }
    return [_telling(item, profile) for item in codec] if isinstance(codec, list) else codec


def _judges(value: Any) -> bool:
    """Whether a decoder asks what a value is valid under, which may refer to definitions."""
    if isinstance(value, dict):
        return value.get("k") == "choice" or bool(value.get("open")) or any(map(_judges, value.values()))
    return isinstance(value, list) and any(map(_judges, value))
