"""Which form a stream gets: what the caller prefers, never what it refuses if there is another."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.transports.http.stream_formats import Events, JsonArray, Lines, Style, choose


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", Events),
        ("*/*", Events),
        ("application/x-ndjson", Lines),
        ("text/event-stream;q=0.1, application/x-ndjson", Lines),
        ("application/x-ndjson;q=0", Events),
        ("application/x-ndjson; q=0.000, application/json", JsonArray),
        ("text/event-stream;q=0", Lines),
        ("text/event-stream;q=0, application/x-ndjson;q=0, application/jsonl;q=0", JsonArray),
        ("text/event-stream;q=0,application/x-ndjson;q=0,application/json;q=0", Events),
        ("application/json;q=nonsense, application/x-ndjson;q=0.9", JsonArray),
        ("APPLICATION/JSON;level=1;Q=0.5", JsonArray),
    ],
)
def test_the_preferred_form_is_chosen(accept: str, chosen: type[Style]) -> None:
    assert type(choose(accept, Events)) is chosen
