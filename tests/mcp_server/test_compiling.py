"""compile_for_provider: a form that the provider takes, and what it loses."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest

from llm_schema_registry.mcp_server.tools import TOOLS
from tests.api.server import ServerProcess

from .speaker import Speaker, ToolFailed
from .test_tools import ORDER, fits, register

if "compile_for_provider" not in {tool.name for tool in TOOLS}:
    pytest.skip("this release has no ProviderService", allow_module_level=True)

Name = Callable[[str], str]


def test_a_version_is_compiled_with_its_losses(server: ServerProcess, speaker: Speaker, name: Name) -> None:
    register(server, name("orders"), ORDER)
    told = fits(
        "compile_for_provider",
        speaker.call("compile_for_provider", provider="openai-strict", subject=name("orders"), name="order"),
    )
    assert told["fit"] == "FITS_WITH_LOSS" or not told["losses"]
    form = json.dumps(told["form"])
    assert '"strict": true' in form
    assert "order" in form
    assert "decoder" not in told
    again = speaker.call(
        "compile_for_provider", provider="openai-strict", subject=name("orders"), decoder=True
    )
    assert again["decoder"]


def test_a_loss_comes_with_a_witness(speaker: Speaker) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}},
              "required": ["n"], "additionalProperties": False}  # fmt: skip
    told = speaker.call("compile_for_provider", provider="openai-strict", schema=schema)
    loss = next(one for one in told["losses"] if one.get("keyword") == "uniqueItems")
    assert loss["effect"] == "WIDENED"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(loss["witness"]), schema)
    assert told["checks"]


def test_what_cannot_be_compiled_says_why(speaker: Speaker) -> None:
    with pytest.raises(ToolFailed, match="openai-strict"):
        speaker.call("compile_for_provider", provider="nobody", schema=ORDER)
    for wrong in ({}, {"schema": ORDER, "subject": "s"}):
        with pytest.raises(ToolFailed, match="either subject"):
            speaker.call("compile_for_provider", provider="openai-strict", **wrong)
