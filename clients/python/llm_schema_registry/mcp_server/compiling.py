"""The tool compile_for_provider: a schema in the form that a provider of models takes, with what is lost on the way."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..v1 import schema_registry_pb2, tools_pb2
from .arguments import BadArguments
from .tool import (
    MOST_ITEMS,
    REFERENCES,
    SCHEMA,
    SUBJECT,
    VERSION,
    Context,
    Tool,
    content,
    cut,
    first,
    flag,
    gives,
    integer,
    many,
    references,
    takes,
    text,
    without_empty,
    word,
)
from .wire import Json

_MESSAGES = "llm_schema_registry.v1.providers_pb2"
pb: Any = import_module(_MESSAGES) if find_spec(_MESSAGES) is not None else None
"""The messages of ProviderService; None in a release without it, which has no such tool."""
_COMPILE = "/schema_registry.v1.ProviderService/CompileForProvider"
_MOST_FORM = 64 * 1024
"""Characters of a form that an answer holds; larger ones are compiled by the command line."""
_MOST_TEXT = 300


async def _compile(context: Context, arguments: Json) -> Json:
    if ("subject" in arguments) == ("schema" in arguments):
        raise BadArguments([("/subject", "give either subject, with version if you like, or schema")])
    if "schema" in arguments:
        operand = tools_pb2.SchemaOperand(
            schema_content=content(arguments["schema"]),
            schema_type=schema_registry_pb2.SCHEMA_TYPE_JSON,
            references=references(arguments.get("references", [])),
        )
    else:
        operand = tools_pb2.SchemaOperand(subject=arguments["subject"], version=arguments["version"])
    asked = pb.CompileForProviderRequest(
        schema=operand,
        profile=arguments["provider"],
        surface=arguments.get("surface", ""),
        name=arguments.get("name", ""),
    )
    found = await context.registry.call(_COMPILE, asked)
    fit = word(pb.ProfileFit, found.fit)
    losses, more = first(found.losses)
    decoder = {"decoder": json.loads(found.decoder)} if arguments["decoder"] and found.decoder else {}
    whole = len(found.envelope) + len(found.decoder) <= _MOST_FORM
    too_large = (
        "" if whole else "; the form is too large for this answer, use `schema-registry provider compile`"
    )
    lost = f", {len(losses) + more} losses" if losses else ", nothing lost"
    checks = f"; check the answers at {len(found.checks)} places" if found.checks else ""
    return {
        "summary": f"{found.profile} {found.surface}: {fit}{lost}{checks}{too_large}",
        "fit": fit,
        **without_empty({"profile": found.profile, "surface": found.surface, "name": found.name}),
        **({"form": json.loads(found.envelope), **decoder} if whole and found.envelope else {}),
        "losses": [_loss(one) for one in losses],
        "more_losses": more,
        "checks": [
            without_empty({"pointer": cut(c.pointer, _MOST_TEXT), "message": cut(c.message, _MOST_TEXT)})
            for c in found.checks[:MOST_ITEMS]
        ],
        "not_guaranteed": [cut(n, _MOST_TEXT) for n in found.not_guaranteed[:MOST_ITEMS]],
    }


def _loss(found: Any) -> Json:
    return without_empty(
        {
            "effect": word(pb.LossEffect, found.effect),
            "pointer": cut(found.pointer, _MOST_TEXT),
            "keyword": found.keyword,
            "message": cut(found.message, _MOST_TEXT),
            "proof": word(pb.LossProof, found.proof),
            "witness": cut(found.witness, 1000),
        }
    )


COMPILE = Tool(
    "compile_for_provider",
    "The form of a JSON Schema that a provider takes (tool or response format), with a proved report of what it loses.",
    takes(
        ("provider",),
        provider=text("openai-strict, anthropic-strict, gemini-json-schema, mistral, ...", 100),
        subject=SUBJECT,
        version=VERSION,
        schema=SCHEMA,
        references=REFERENCES,
        surface=text("tool, ...", 100),
        name=text("Of the tool", 200),
        decoder=flag("Give the program that turns answers back, too", default=False),
    ),
    gives(
        "fit", "losses", "checks",
        fit=text(), form={"type": "object"}, losses=many(), more_losses=integer(), checks=many(),
        not_guaranteed=many(text()), decoder={"type": "object"},
    ),
    _compile,
)  # fmt: skip
