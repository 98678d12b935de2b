"""What the registry does for programs that speak to language models, in one command and on one page: `make demo-llm`.

A schema that OpenAI's strict mode refuses is compiled with everything that is lost; a streamed answer is stopped at the byte with which it
cannot become valid any more, and asked for again; a refused change is offered a proved fix; and an MCP client finds the new version.
The registry and the client of `openai` are real, the provider is fake_provider.py on this machine. Ends with status 1 when something
is not as it says.
"""

from __future__ import annotations

import asyncio
import json
import textwrap
from typing import Any

import mcp
import openai
from fake_provider import FakeProvider, serving
from served import server

from llm_schema_engines.answers.reask import estimated_tokens
from llm_schema_registry import IncompatibleSchema, SchemaRegistry
from llm_schema_registry.integrations import AnswerRefused
from llm_schema_registry.integrations.openai import ResponsesContract

WIDTH = 100
SUBJECT = "support.ticket"
TICKET: dict[str, Any] = {
    "title": "Ticket",
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical", "other"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "facts": {"type": "object", "additionalProperties": {"type": "string"}},
        "summary": {"type": "string"},
        "order": {"type": "string", "pattern": "^ORD-[0-9]{6}$"},
    },
    "required": ["category", "priority", "tags", "facts", "summary"],
    "additionalProperties": False,
}
ANSWER = (
    '{"category": "billing", "priority": 2, "tags": ["refund", "refund"], "facts": [{"key": "plan", "value": "pro"}, '
    '{"key": "month", "value": "November"}], "summary": "The customer was charged twice for the same order in November '
    'and asks for the second amount back; the bank statement is attached.", "order": null}'
)
CORRECTED = ANSWER.replace('["refund", "refund"]', '["refund", "double charge"]')
QUESTION = [{"role": "user", "content": "Write a ticket: charged twice in November, wants the money back."}]


def say(text: str = "", indent: int = 2) -> None:
    """A paragraph."""
    space = " " * indent
    print(textwrap.fill(text, WIDTH, initial_indent=space, subsequent_indent=space + "  ") if text else "")


def expect(holds: bool, what: str) -> None:
    """Ends the demonstration when something is not as it says."""
    if not holds:
        raise SystemExit(f"unexpected: {what}")


def compiled(registry: SchemaRegistry, client: openai.OpenAI) -> ResponsesContract:
    print("1. A schema that OpenAI's strict mode refuses")
    registry.register_schema(SUBJECT, TICKET)
    form = {"type": "json_schema", "name": "ticket", "schema": TICKET, "strict": True}
    try:
        client.responses.create(model="fake", input=QUESTION, text={"format": form})
        expect(False, "the schema was taken as it stands")
    except openai.BadRequestError as refused:
        say(f"as it stands: {refused.status_code} {refused.body['message']}")
    contract = ResponsesContract.load(registry, f"{SUBJECT}@^1")
    expect(bool(contract.form), "the compiled form is refused")
    say(f"compiled for {contract.form.profile}: {contract.form.fit}; {len(contract.losses)} loss:")
    for loss in contract.losses:
        say(f"{loss.effect} {loss.pointer} {loss.keyword}: {loss.message}", 4)
        say(f"such as {loss.witness}" if loss.witness else f"proof: {loss.proof}", 4)
    say(
        "not lost: `order` may be null and comes back as left out; `facts`, a map, is a list of pairs and comes back as a map"
    )
    return contract


def answered(contract: ResponsesContract, client: openai.OpenAI, provider: FakeProvider) -> None:
    print("\n2. An answer that is stopped where it dies, and asked for again")
    provider.will_answer(ANSWER, CORRECTED)
    asked: list[Any] = list(QUESTION)
    try:
        contract.guard(
            client.responses.create(model="fake", input=asked, stream=True, **contract.request())
        ).run()
        expect(False, "the first answer is valid")
    except AnswerRefused as refused:
        say(f"{refused.answer}")
        say(
            f"^ stopped: byte {refused.byte_offset} of {len(ANSWER)}, {refused.errors[0].path}: {refused.errors[0].message}"
        )
        told = refused.messages[-1]["content"]
        say(f"re-asked with about {estimated_tokens(told)} tokens: {told!r}")
        expect(estimated_tokens(told) < 80, "the request to correct it is long")
        expect(provider.stopped.wait(10), "the provider went on writing")
        asked += refused.messages
    value = contract.guard(
        client.responses.create(model="fake", input=asked, stream=True, **contract.request())
    ).run()
    say(f"decoded and valid: {json.dumps({**value, 'summary': value['summary'][:20] + '...'})}")
    expect(
        "order" not in value and value["facts"] == {"plan": "pro", "month": "November"},
        "the answer is not decoded",
    )


def changed(registry: SchemaRegistry) -> str:
    print("\n3. A change that is refused, and a proved fix")
    second = json.loads(json.dumps(TICKET))
    second["properties"]["channel"] = {"enum": ["mail", "chat"]}
    second["required"].append("channel")
    try:
        registry.register_schema(SUBJECT, second)
        expect(False, "the change was accepted")
    except IncompatibleSchema as refused:
        violation = refused.report.violations[0]
        say(f"refused at level {refused.report.level}: {violation.path}: {violation.message}")
    found = registry.find_fixes(SUBJECT, second)
    expect(bool(found), "there is no fix")
    fix = found.fixes[0]
    proofs = ", ".join(f"{proof.direction} with {proof.version}" for proof in fix.proofs)
    say(f"fix, proved {proofs}: {fix.patch}")
    say(f"cost: {fix.message}", 4)
    made = registry.register_schema(SUBJECT, fix.content)
    say(f"registered with the fix: {SUBJECT} {made.version}")
    return made.version


async def found(url: str, version: str) -> None:
    print("\n4. An MCP client finds the new version")
    async with mcp.Client(url) as client:
        answer = await client.call_tool("search_schemas", {"query": "ticket channel"})
        say(f"search_schemas: {_summary(answer)}")
        listed = await client.call_tool("list_versions", {"subject": SUBJECT})
        say(f"list_versions: {_summary(listed)}")
        expect(
            version in [v["version"] for v in listed.structured_content["versions"]],
            "MCP does not know the version",
        )
        judged = await client.call_tool(
            "judge_answer", {"subject": SUBJECT, "answer": '{"channel": "fax', "partial": True}
        )
        say(f"judge_answer: {_summary(judged)}")


def _summary(answer: Any) -> str:
    expect(not answer.is_error, str(answer.content))
    return str(answer.structured_content["summary"])


def main() -> None:
    with server() as ports, serving() as provider, SchemaRegistry(f"127.0.0.1:{ports['grpc']}") as registry:
        with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:
            contract = compiled(registry, client)
            answered(contract, client, provider)
        version = changed(registry)
        asyncio.run(found(f"http://127.0.0.1:{ports['http']}/mcp", version))


if __name__ == "__main__":
    main()
