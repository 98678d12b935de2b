"""Commands about the answers of language models: judged while they arrive, written down for a model, corrected."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ...enums import Coercion, ReaskStyle, StreamStatus
from ...results import AnswerState, CoercedAnswer, ReaskedAnswer, StreamFailure
from .. import local
from .. import options as o
from ..exits import Exit
from ..files import parsed
from ..inputs import read
from ..session import resolve_id, session
from ..text import bad, good

if TYPE_CHECKING:
    from llm_schema_engines import AnswerStream

_PIECE = 4096

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SUBJECT[@VERSION]] [FILE]",
        help="The schema, unless --schema gives it, and the answer; - or none is the standard input.",
        autocompletion=o.complete_subject_or_file,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse what the schema does not declare.")]


def judge(
    context: typer.Context,
    words: Words = None,
    schema: o.SchemaFile = None,
    reference: o.LocalReferences = None,
    strict: Strict = False,
    fence: Annotated[bool, typer.Option("--fence", help="The document may stand in a code fence.")] = False,
    prose: Annotated[bool, typer.Option("--prose", help="Words may stand around the document.")] = False,
) -> None:
    """Judge a JSON document while it arrives, and stop with the first byte that leaves no way. Exits with 1 then.

    The engines in this program judge; with SUBJECT the schema is fetched once.

    Examples:

    \b
      ask-a-model | schema-registry judge answers
      ask-a-model | schema-registry judge answers --prose
    """
    s = session(context)
    what, file = _given(words, schema)
    if schema is not None:
        stream = local.answer_stream(parsed(schema, None, reference), strict=strict, fence=fence, prose=prose)
    else:
        with s.registry() as client:
            stream = client.answer_stream(
                resolve_id(client, s.target(what)), strict=strict, fence=fence, prose=prose
            )
    for piece in _pieces(file):
        if stream.feed(piece) == StreamStatus.DEAD.number:
            break
    stream.end()
    state = _state(file, stream)
    s.output.result(state, partial(_judged, state))
    if not state:
        raise typer.Exit(Exit.NEGATIVE)


def _given(words: list[str] | None, schema: str | None) -> tuple[str, str]:
    """The subject, "" with --schema, and the file."""
    given = list(words or ())
    what = given.pop(0) if given and schema is None else ""
    if schema is None and not what:
        raise typer.BadParameter("give a subject, or a file with --schema", param_hint="SUBJECT")
    if len(given) > 1:
        raise typer.BadParameter(f"{given[1]!r} is one file too many", param_hint="FILE")
    return what, given[0] if given else "-"


def _pieces(file: str) -> Iterator[bytes]:
    """The bytes of a file, or of the standard input as they come."""
    with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
        while piece := os.read(source.fileno(), _PIECE):
            yield piece


def _state(file: str, stream: AnswerStream) -> AnswerState:
    error = stream.error
    failure = None
    if error is not None:
        failure = StreamFailure(
            error.byte_offset, error.pointer, error.keyword, error.message, error.expected, error.allowed_next,
            error.schema_path,
        )  # fmt: skip
    return AnswerState(
        document_id=file,
        status=StreamStatus(int(stream.status)),
        failure=failure,
        reason=stream.reason,
        received_bytes=stream.received,
        schema_id="",
        subject="",
        version="",
        error=None,
        index=0,
    )


def _judged(state: AnswerState) -> list[str | Text]:
    failure = state.failure
    if failure is None:
        return [good(f"{state.document_id}: {state.status.name}")]
    out: list[str | Text] = [
        bad(f"{state.document_id}: {state.status.name} at byte {failure.byte_offset}"),
        f"  {failure.pointer or '(root)'}: {failure.message} [{failure.keyword}]",
    ]
    if failure.allowed_next:
        out.append(f"  instead: {', '.join(failure.allowed_next)}")
    return out


def reask(
    context: typer.Context,
    words: Words = None,
    schema: o.SchemaFile = None,
    reference: o.LocalReferences = None,
    strict: Strict = False,
    style: Annotated[
        ReaskStyle | None,
        typer.Option(
            "--style",
            parser=o.member(ReaskStyle),
            autocompletion=o.complete_names(ReaskStyle),
            metavar="STYLE",
            help="lines, document, mcp, anthropic or openai.",
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option("--tokens", metavar="N", min=16, help="Tokens of the text, at most.")
    ] = 400,
    redact: Annotated[bool, typer.Option("--redact", help="Quote no value of the answer.")] = False,
    subschemas: Annotated[bool, typer.Option("--subschemas", help="Add the schemas of the errors.")] = False,
    call_id: Annotated[str, typer.Option("--call-id", metavar="ID", help="Of the tool call.")] = "",
) -> None:
    """Write the errors of an answer for the model that is to correct it. Exits with 1 if there are any.

    Examples:

    \b
      schema-registry reask answers answer.json
      schema-registry reask answers answer.json --style mcp
    """
    s = session(context)
    what, file = _given(words, schema)
    data = read(file)
    chosen = style or ReaskStyle.LINES
    options: dict[str, Any] = {"redact": redact, "subschemas": subschemas, "call_id": call_id}
    if schema is not None:
        asked = local.reask(
            parsed(schema, None, reference), data, strict=strict, style=str(chosen), tokens=tokens, **options
        )
    else:
        with s.registry() as client:
            asked = client.reask_answer(
                resolve_id(client, s.target(what)),
                data,
                strict=strict,
                style=chosen,
                max_tokens=tokens,
                **options,
            )
    s.output.result(asked, partial(_asked, asked))
    if not asked.valid:
        raise typer.Exit(Exit.NEGATIVE)


def _asked(asked: ReaskedAnswer) -> list[str | Text]:
    return [good("valid")] if asked.valid else [asked.payload or asked.text]


def coerce(
    context: typer.Context,
    words: Words = None,
    schema: o.SchemaFile = None,
    reference: o.LocalReferences = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            autocompletion=o.complete_names(Coercion),
            help="A kind of correction that may be made, or all; repeatable. With a subject: those of its settings if none.",
        ),
    ] = None,
) -> None:
    """Correct an answer in the ways that are named, and write it. A valid one is not changed. Exits with 1 if it is not valid then.

    Examples:

    \b
      schema-registry coerce answers answer.json
      schema-registry coerce answers answer.json -k date
      schema-registry coerce --schema t.json a.json -k all
    """
    s = session(context)
    what, file = _given(words, schema)
    if not kinds and schema is not None:
        raise typer.BadParameter("name at least one kind, or all", param_hint="--kind")
    named = o.coercions(kinds or ())
    data = read(file)
    if schema is not None:
        done = local.coerce(parsed(schema, None, reference), data, [str(kind) for kind in named])
    else:
        with s.registry() as client:
            done = client.coerce_answer(resolve_id(client, s.target(what)), data, kinds=named)
    s.output.result(done, partial(_corrected, done))
    if not done:
        raise typer.Exit(Exit.NEGATIVE)


def _corrected(done: CoercedAnswer) -> list[str | Text]:
    out: list[str | Text] = [done.data.decode("utf-8", "replace").rstrip("\n")]
    return out + [bad(f"  {e.path or '(root)'}: {e.message} [{e.error_type}]") for e in done.report.errors]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(judge)
    app.command()(reask)
    app.command()(coerce)
