"""Tools that judge: check_compatibility, validate_data, judge_answer, diff_schemas."""

from __future__ import annotations

from ..v1 import answers_pb2, tools_pb2
from ..v1 import schema_registry_pb2 as pb
from .arguments import BadArguments
from .calls import ANSWERS, REGISTRY, TOOLS, from_status
from .tool import (
    MOST_DATA,
    MOST_ITEMS,
    REFERENCES,
    SCHEMA,
    SCHEMA_TYPE,
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
    schema_type,
    takes,
    text,
    without_empty,
    word,
)
from .wire import Json, write

LEVELS = (
    "BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE", "NONE",
)  # fmt: skip
_MOST_TEXT = 500
_MOST_WITNESS = 2000
_VERDICTS = {pb.VERDICT_YES: "YES", pb.VERDICT_NO: "NO", pb.VERDICT_UNDECIDED: "UNDECIDED"}
_SAID = {"YES": "compatible", "NO": "NOT compatible", "UNDECIDED": "undecided whether it is compatible"}


def report(found: pb.CompatibilityReport) -> Json:
    """A verdict of compatibility, with witnesses and ways out."""
    violations, more = first(found.violations)
    return without_empty(
        {
            "verdict": _VERDICTS.get(found.verdict, "YES" if found.compatible else "NO"),
            "level": word(pb.CompatibilityLevel, found.level),
            "change": word(pb.ChangeClass, found.change_class),
            "compared_versions": list(found.compared_versions[:MOST_ITEMS]),
            "suggested_version": found.suggested_version,
            "violations": [_violation(v) for v in violations],
            "more_violations": more or None,
            "remedies": [
                without_empty({"message": cut(r.message, _MOST_TEXT), "settings": dict(r.settings)})
                for r in found.remedies[:MOST_ITEMS]
            ],
        }
    )


def _violation(v: pb.CompatibilityViolation) -> Json:
    witness = v.witness_text or v.witness.decode("utf-8", "replace")
    return without_empty(
        {
            "rule": v.rule,
            "path": cut(v.path, _MOST_TEXT),
            "message": cut(v.message, _MOST_TEXT),
            "direction": v.direction,
            "compared_version": v.compared_version,
            "witness": cut(witness, _MOST_WITNESS),
        }
    )


async def check(context: Context, arguments: Json) -> Json:
    """The answer of check_compatibility. Raises CallFailed."""
    asked = pb.CompatibilityCheckRequest(
        subject=arguments["subject"],
        new_schema=content(arguments["schema"]),
        schema_type=schema_type(arguments["schema_type"]),
        references=references(arguments.get("references", [])),
    )
    if level := arguments.get("level", ""):
        asked.level = pb.CompatibilityLevel.Value(f"COMPATIBILITY_LEVEL_{level}")
    if against := arguments.get("compare_version", ""):
        asked.compare_version = against
    found = await context.registry.call(REGISTRY + "CheckCompatibility", asked)
    told = report(found)
    said = _SAID[told["verdict"]]
    why = (
        f": {told['violations'][0]['message']}" if told.get("violations") and told["verdict"] != "YES" else ""
    )
    return {
        "summary": f"{said} with {arguments['subject']} at level {told.get('level', 'NONE')}{why}",
        "compatible": told["verdict"] == "YES",
        **told,
    }


def document(arguments: Json) -> bytes:
    """The bytes of `data`, or of `text`. Raises BadArguments unless there is just one of them."""
    if ("data" in arguments) == ("text" in arguments):
        raise BadArguments([("/data", "give either data, as a JSON value, or text, as it is written")])
    if "text" in arguments:
        return content(str(arguments["text"]))
    return write(arguments["data"]).encode("utf-8", "surrogatepass")


def errors_of(found: pb.ValidationReport) -> tuple[list[Json], int]:
    """The errors of a report, and how many more there are."""
    errors, more = first(found.errors)
    return [
        without_empty(
            {
                "path": cut(e.path, _MOST_TEXT),
                "message": cut(e.message, _MOST_TEXT),
                "keyword": e.error_type,
                "expected": cut(e.expected, _MOST_TEXT),
                "got": cut(e.got, _MOST_TEXT),
            }
        )
        for e in errors
    ], more


async def _validate(context: Context, arguments: Json) -> Json:
    asked = pb.ValidateDataRequest(
        subject=arguments["subject"],
        version=arguments["version"],
        data=document(arguments),
        strict=arguments["strict"],
        message_name=arguments.get("message_name", ""),
        encoding=pb.DATA_ENCODING_JSON,
    )
    found = await context.registry.call(REGISTRY + "ValidateData", asked)
    errors, more = errors_of(found)
    where = f"{found.subject or arguments['subject']} {found.version or arguments['version']}"
    count = f"{len(errors) + more}{' or more' if found.truncated else ''}"
    first_error = (
        f": {errors[0]['path'] if errors[0].get('path') else 'root'}: {errors[0]['message']}"
        if errors
        else ""
    )
    return {
        "summary": f"valid under {where}"
        if found.valid
        else f"NOT valid under {where}, {count} errors{first_error}",
        "valid": found.valid,
        "errors": errors,
        "more_errors": more,
        **without_empty({"schema_id": found.schema_id, "version": found.version}),
    }


async def _judge(context: Context, arguments: Json) -> Json:
    answer = content(arguments["answer"])
    subject, version = arguments["subject"], arguments["version"]
    if arguments["partial"]:
        state = await context.registry.judge(
            answers_pb2.ValidateStreamRequest(
                document_id="answer", subject=subject, version=version, chunk=answer,
                fence=arguments["lenient"], prose=arguments["lenient"],
            )
        )  # fmt: skip
        return _state(state)
    asked = answers_pb2.ReaskAnswerRequest(
        subject=subject,
        version=version,
        data=answer,
        style=answers_pb2.REASK_STYLE_LINES,
        max_tokens=arguments["max_tokens"],
        redact=arguments["redact"],
    )
    found = await context.registry.call(ANSWERS + "ReaskAnswer", asked)
    if found.valid:
        return {"summary": "the answer is valid", "status": "COMPLETE"}
    return {
        "summary": f"the answer is NOT valid; {found.told} errors are told in reask, {found.left} left out: send it to the model",
        "status": "DEAD",
        "reask": found.text,
        "tokens": found.tokens,
    }


def _state(state: answers_pb2.ValidateStreamResponse) -> Json:
    if state.HasField("error"):
        raise from_status(state.error)
    status = word(answers_pb2.StreamStatus, state.status)
    said = {
        "VIABLE": "the answer so far can still become valid; let it go on",
        "COMPLETE": "the answer is complete and valid",
        "DEAD": "the answer can NOT become valid any more; stop it",
        "INDETERMINATE": f"whether the answer can become valid shows at its end: {cut(state.reason, _MOST_TEXT)}",
    }[status]
    told: Json = {"summary": said, "status": status}
    if state.HasField("failure"):
        f = state.failure
        told["failure"] = without_empty(
            {
                "byte_offset": f.byte_offset,
                "pointer": cut(f.pointer, _MOST_TEXT),
                "keyword": f.keyword,
                "message": cut(f.message, _MOST_TEXT),
                "expected": cut(f.expected, _MOST_TEXT),
                "allowed_next": [cut(a, 200) for a in f.allowed_next[:MOST_ITEMS]],
            }
        )
        told["summary"] += f": byte {f.byte_offset}, {f.pointer or 'root'}: {cut(f.message, _MOST_TEXT)}"
    return told


async def _diff(context: Context, arguments: Json) -> Json:
    subject = arguments["subject"]
    new = tools_pb2.SchemaOperand(
        subject=arguments.get("new_subject", "") or subject, version=arguments["new_version"]
    )
    if "schema" in arguments:
        new = tools_pb2.SchemaOperand(
            schema_content=content(arguments["schema"]),
            schema_type=schema_type(arguments["schema_type"]),
            references=references(arguments.get("references", [])),
        )
    asked = tools_pb2.DiffSchemasRequest(
        old=tools_pb2.SchemaOperand(subject=subject, version=arguments["old_version"]), new=new
    )
    found = await context.registry.call(TOOLS + "DiffSchemas", asked)
    differences, more = first(found.differences)
    change = word(pb.ChangeClass, found.change_class)
    backward, forward = report(found.backward), report(found.forward)
    return {
        "summary": f"{len(differences) + more} differences, change is {change or 'unknown'}; backward {backward['verdict']}, "
        f"forward {forward['verdict']}",
        "change": change,
        "differences": [
            without_empty(
                {
                    "kind": word(tools_pb2.SchemaDifference.Kind, d.kind),
                    "path": cut(d.path, _MOST_TEXT),
                    "old": cut(d.old_value, _MOST_TEXT),
                    "new": cut(d.new_value, _MOST_TEXT),
                    "message": cut(d.message, _MOST_TEXT),
                }
            )
            for d in differences
        ],
        "more_differences": more,
        "backward": backward,
        "forward": forward,
    }


CHECK = Tool(
    "check_compatibility",
    "Whether a new schema may follow the versions of a subject. A NO comes with a witness, a document that breaks, and with ways out.",
    takes(
        ("subject", "schema"),
        subject=SUBJECT,
        schema=SCHEMA,
        schema_type=SCHEMA_TYPE,
        references=REFERENCES,
        level=text("Instead of the subject's own level", enum=list(LEVELS)),
        compare_version=text("Only against this version", 64),
    ),
    gives(
        "compatible", "verdict",
        compatible=flag(), verdict=text(enum=["YES", "NO", "UNDECIDED"]), level=text(), violations=many(),
        remedies=many(), suggested_version=text(),
    ),
    check,
)  # fmt: skip
VALIDATE = Tool(
    "validate_data",
    "Whether data is valid under a version; all errors with their places.",
    takes(
        ("subject",),
        subject=SUBJECT,
        version=VERSION,
        data={"description": "The data as JSON value"},
        text=text("Or its text", MOST_DATA),
        strict=flag("Refuse undeclared keys too", default=False),
        message_name=text("Of Protobuf", 255),
    ),
    gives("valid", "errors", valid=flag(), errors=many(), more_errors=integer(), version=text()),
    _validate,
)
JUDGE = Tool(
    "judge_answer",
    "Judge a model's JSON answer. partial: the beginning of one, stop it when DEAD. Otherwise an invalid one gets a short reask "
    "text for the model.",
    takes(
        ("subject", "answer"),
        subject=SUBJECT,
        version=VERSION,
        answer=text("The text so far", MOST_DATA),
        partial=flag(default=False),
        lenient=flag("partial: allow a code fence and prose", default=False),
        max_tokens=integer(minimum=16, maximum=4000, default=400),
        redact=flag("Quote no values", default=False),
    ),
    gives(
        "status",
        status=text(enum=["VIABLE", "COMPLETE", "DEAD", "INDETERMINATE"]), failure={"type": "object"}, reask=text(),
        tokens=integer(),
    ),
    _judge,
)  # fmt: skip
DIFF = Tool(
    "diff_schemas",
    "What differs between a version and another one, or a schema that you give, and in which directions it is compatible.",
    takes(
        ("subject", "old_version"),
        subject=SUBJECT,
        old_version=text(most=64),
        new_version=VERSION,
        new_subject=text("If not the same", 255),
        schema=SCHEMA,
        schema_type=SCHEMA_TYPE,
        references=REFERENCES,
    ),
    gives(
        "change", "differences", "backward", "forward",
        change=text(), differences=many(), more_differences=integer(), backward={"type": "object"},
        forward={"type": "object"},
    ),
    _diff,
)  # fmt: skip
