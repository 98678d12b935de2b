"""The form of a schema for a provider: what is sent, what is lost, how answers come back."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from llm_schema_engines import (
    CompiledForm,
    ConversionRefused,
    DataRefused,
    Decoder,
    Fit,
    InvalidRequest,
    LossEffect,
    LossProof,
    Profile,
    Verdict,
    compile_for,
    provider_profile,
    provider_profiles,
    validate,
)
from llm_schema_engines.providers.compiling import choose_names
from tests.providers.test_profiles import OWN

ORDER: dict[str, Any] = {
    "title": "Place an order",
    "type": "object",
    "properties": {
        "zip": {"type": "string", "minLength": 5},
        "amount": {"type": "integer", "minimum": 1, "maximum": 5},
        "note": {"type": "string"},
        "tags": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "required": ["zip", "amount"],
    "additionalProperties": False,
}


def compiled(schema: Any, profile: str, **options: Any) -> CompiledForm:
    return compile_for(json.dumps(schema), profile, **options)


def sent(schema: Any, profile: str, **options: Any) -> Any:
    return json.loads(compiled(schema, profile, **options).schema)


def test_the_envelope_is_ready_for_the_request() -> None:
    form = compiled(ORDER, "openai-strict", name="place.order", description="Places it")

    envelope = json.loads(form.envelope)
    assert form.fit is Fit.FITS_WITH_LOSS
    assert (envelope["name"], envelope["description"], envelope["strict"]) == (
        "place_order",
        "Places it",
        True,
    )
    assert envelope["parameters"] == json.loads(form.schema)


@pytest.mark.parametrize("profile", list(provider_profiles()))
def test_every_surface_of_every_profile_holds_the_schema(profile: str) -> None:
    for surface in provider_profiles()[profile].envelopes:
        form = compiled(ORDER, profile, surface=surface, prove_seconds=0)

        assert form.surface == surface
        assert form.schema in form.envelope or json.dumps(form.schema) in form.envelope
        assert '"$' not in form.envelope.replace('"$defs"', "").replace('"$ref"', "")


def test_keys_keep_their_order_and_all_are_required_where_they_must() -> None:
    schema = sent(ORDER, "openai-strict")

    assert list(schema["properties"]) == ["zip", "amount", "note", "tags"]
    assert schema["required"] == ["zip", "amount", "note", "tags"]
    assert schema["properties"]["note"]["type"] == ["string", "null"]


def test_a_small_range_of_integers_stays_enforced_as_an_enum() -> None:
    form = compiled(ORDER, "anthropic-strict")

    assert json.loads(form.schema)["properties"]["amount"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert [loss.pointer for loss in form.losses] == ["/properties/zip/minLength"]


def test_every_loss_has_its_pointer_and_a_witness() -> None:
    form = compiled(ORDER, "anthropic-strict")
    (loss,) = form.losses

    assert (loss.effect, loss.keyword, loss.proof) == (LossEffect.WIDENED, "minLength", LossProof.WITNESS)
    assert not validate(json.dumps(ORDER), loss.witness)
    assert validate(form.meant, loss.witness)
    assert (form.widened, form.narrowed) == (Verdict.NO, Verdict.YES)
    assert [check.pointer for check in form.checks] == ["/properties/tags", "/properties/zip/minLength"]


def test_a_form_without_loss_is_proved_to_be_one() -> None:
    form = compiled(
        {**ORDER, "properties": {**ORDER["properties"], "zip": {"type": "string"}}}, "anthropic-strict"
    )

    assert form.lossless
    assert form.losses == ()


def test_an_open_object_is_narrowed_and_says_so() -> None:
    form = compiled({"type": "object", "properties": {"a": {"type": "string"}}}, "openai-strict")
    (loss,) = form.losses

    assert (loss.effect, loss.keyword, loss.proof) == (
        LossEffect.NARROWED,
        "additionalProperties",
        LossProof.WITNESS,
    )
    assert validate('{"type": "object", "properties": {"a": {"type": "string"}}}', loss.witness)
    assert not validate(form.meant, loss.witness)


@pytest.mark.parametrize(
    ("schema", "profile", "document", "answer"),
    [
        (ORDER, "openai-strict", {"zip": "12345", "amount": 1}, {"zip": "12345", "amount": 1, "note": None, "tags": None}),
        (ORDER, "anthropic-strict", {"zip": "12345", "amount": 1, "tags": {"a": 1}}, {"zip": "12345", "amount": 1, "tags": [{"key": "a", "value": 1}]}),
        ({"type": "array", "items": {"type": "string"}}, "openai-strict", ["a"], {"value": ["a"]}),
        ({"type": "object"}, "openai-strict", {"a": [1, {"b": None}]}, {"value": [{"key": "a", "value": '[1,{"b":null}]'}]}),
        ({"type": "object", "properties": {"a": True}, "required": ["a"], "additionalProperties": False}, "openai-strict", {"a": {"x": 1}}, {"a": '{"x":1}'}),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}, "openai-strict", {"a": "x", "b": 2}, {"a": "x", "additional_properties": [{"key": "b", "value": 2}]}),
        ({"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}]}, "openai-strict", {}, {"value": {"a": None}}),
        ({"type": "object", "properties": {"kid": {"$ref": "#"}}, "additionalProperties": False}, "openai-strict", {"kid": {"kid": {}}}, {"kid": {"kid": {"kid": None}}}),
        ({"type": "object", "properties": {"kid": {"$ref": "#"}}, "additionalProperties": False}, "anthropic-strict", {"kid": {"kid": {}}}, {"kid": '{"kid":{}}'}),
    ],
)  # fmt: skip
def test_answers_come_back_in_the_shape_of_the_schema(
    schema: Any, profile: str, document: Any, answer: Any
) -> None:
    decoder = Decoder(json.loads(json.dumps(compiled(schema, profile).decoder)))

    assert json.loads(decoder.encode(json.dumps(document))) == answer
    assert json.loads(decoder.decode(json.dumps(answer))) == document


def test_a_property_that_holds_the_name_of_the_pairs_keeps_it() -> None:
    schema = {
        "type": "object",
        "properties": {"additional_properties": {"type": "string"}},
        "required": ["additional_properties"],
        "additionalProperties": {"type": "integer"},
    }
    assert list(sent(schema, "openai-strict")["properties"]) == [
        "additional_properties",
        "additional_properties_2",
    ]


@pytest.mark.parametrize(
    "pairs",
    [[{"key": "a", "value": 1}, {"key": "a", "value": 2}], [{"key": "a"}], ["a"], [{"key": 1, "value": 1}]],
)
def test_pairs_that_are_none_are_refused_with_their_place(pairs: Any) -> None:
    decoder = Decoder(compiled(ORDER, "anthropic-strict").decoder)

    with pytest.raises(DataRefused, match="/tags/"):
        decoder.decode(json.dumps({"zip": "12345", "amount": 1, "tags": pairs}))


def test_alternatives_that_could_be_taken_for_each_other_are_labelled() -> None:
    schema = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "array"}]}
    decoder = Decoder(compiled(schema, "openai-strict").decoder)

    for document in (["0"], [0], [[]]):
        assert json.loads(decoder.decode(decoder.encode(json.dumps(document)))) == document


def test_names_of_properties_that_a_provider_does_not_take_are_changed_and_come_back() -> None:
    root = {"root_any": OWN["keywords"]["type"]}
    rule = {"pattern": "[a-z_]+", "most": 20, "support": "UNKNOWN"}
    known = dict.fromkeys(("type", "properties", "required", "additionalProperties"), OWN["keywords"]["type"])
    profile = provider_profile(
        json.dumps({**OWN, "keywords": known, "property_name": rule, "structure": root})
    )
    schema = {
        "type": "object",
        "properties": {"a b": {"type": "string"}, "a-b": {"type": "string"}, "a_b": {"type": "string"}},
        "required": ["a b", "a-b", "a_b"],
        "additionalProperties": False,
    }
    form = compile_for(json.dumps(schema), profile)
    document = {"a b": "1", "a-b": "2", "a_b": "3"}

    sent = json.loads(Decoder(form.decoder).encode(json.dumps(document)))
    assert list(sent) == ["a_b", "a_b_2", "a_b_3"]
    assert sorted(sent.values()) == ["1", "2", "3"]
    assert json.loads(Decoder(form.decoder).decode(json.dumps(sent))) == document


def test_names_of_tools_that_meet_are_numbered_and_adding_one_renames_none() -> None:
    profile = provider_profiles()["openai-strict"]

    first = choose_names(profile, ["a.b", "a-b", "a b", "x" * 70, "x" * 80])
    assert first["a.b"] == "a_b"
    assert first["a b"] == "a_b_2"
    assert len(set(first.values())) == 5
    assert max(map(len, first.values())) == 64
    more = choose_names(profile, [*first, "a:b"])
    assert {name: more[name] for name in first} == first


def test_what_several_schemas_say_of_one_value_is_taken_together() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
            {"properties": {"a": {"minimum": 2}, "b": {"type": "string"}}, "required": ["b"]},
        ],
        "unevaluatedProperties": False,
    }
    form = compiled(schema, "openai-strict")

    assert json.loads(form.schema) == {
        "type": "object",
        "properties": {"a": {"type": "number", "minimum": 2}, "b": {"type": "string"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    assert form.lossless


def test_a_reference_into_another_document_is_written_into_the_form() -> None:
    other = {
        "other.json": '{"type": "object", "properties": {"n": {"type": "integer", "not": {"const": 3}}}, "required": ["n"], "additionalProperties": false}'
    }
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "other.json"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = compile_for(json.dumps(schema), "openai-strict", references=other)

    assert json.loads(form.schema)["properties"]["a"]["$ref"].startswith("#/$defs/")
    assert [loss.pointer for loss in form.losses] == ["other.json#/properties/n/not"]
    assert form.report.fit is Fit.FITS


def test_a_text_beside_a_reference_is_kept_where_it_can_be() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/s", "description": "the first"}},
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"s": {"type": "string"}},
    }
    assert sent(schema, "openai-strict")["properties"]["a"] == {"type": "string", "description": "the first"}


def test_nullable_is_written_as_the_provider_writes_it() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}

    assert sent(schema, "gemini-schema")["properties"]["a"] == {"type": "string", "nullable": True}


@pytest.mark.parametrize(
    ("schema", "options", "match"),
    [
        (False, {}, "no value is valid"),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, {}, "no value is valid"),
        ({}, {"surface": "telegram"}, "it has tool, tool_chat, response"),
        ({}, {"name": "x" * 201}, "the limit is 200"),
        ({}, {"prove_seconds": -1}, "from 0 to 60"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_reason(schema: Any, options: Any, match: str) -> None:
    with pytest.raises(InvalidRequest, match=match):
        compiled(schema, "openai-strict", **options)


def test_a_schema_that_would_grow_without_end_is_refused() -> None:
    bomb = {
        "$defs": {
            f"d{n}": {"type": "object", "allOf": [{"$ref": f"#/$defs/d{n + 1}"}], "properties": {p: {"$ref": f"#/$defs/d{n + 1}", "minProperties": n} for p in "abcd"}}
            for n in range(12)
        }
        | {"d12": {"type": "string"}},
        "$ref": "#/$defs/d0",
    }  # fmt: skip
    with pytest.raises((InvalidRequest, ConversionRefused)):
        compiled(bomb, "gemini-schema", prove_seconds=0)


def chain(links: int) -> dict[str, Any]:
    definitions = {
        f"d{n}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}} for n in range(links)
    }
    return {"$defs": {**definitions, f"d{links}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def test_a_chain_of_references_is_kept() -> None:
    assert len(sent(chain(40), "openai-strict", prove_seconds=0)["$defs"]) == 40


def test_a_chain_of_references_without_end_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="deep"):
        compiled(chain(2000), "openai-strict", prove_seconds=0)


def test_what_is_not_enforced_at_all_is_one_loss() -> None:
    form = compiled(ORDER, "mistral")

    assert json.loads(form.schema) == ORDER
    assert [(loss.pointer, loss.keyword) for loss in form.losses] == [("", "")]
    assert form.losses[0].proof is LossProof.WITNESS
    assert form.fit is Fit.UNKNOWN


def test_a_decoder_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no decoder"):
        Decoder({})
    with pytest.raises(InvalidRequest, match="'jump'"):
        Decoder({"format": 1, "codec": {"k": "jump"}}).decode("1")


NOTHING: dict[str, Any] = {"allOf": [{"type": "array"}, {"type": "string"}]}
"""Under which nothing is valid."""


@pytest.mark.parametrize("profile", ["gemini-json-schema", "llama-cpp", "cohere", "gemini-schema"])
def test_a_property_without_a_valid_value_is_told_where_the_object_is_open(profile: str) -> None:
    form = compiled({"type": "object", "properties": {"a": NOTHING, "b": {"type": "string"}}}, profile)

    assert [loss.pointer for loss in form.losses if loss.effect is LossEffect.WIDENED] == ["/properties/a"]
    assert form.widened is Verdict.NO


@pytest.mark.parametrize("profile", ["llama-cpp", "gemini-json-schema", "openai-strict"])
def test_an_object_whose_further_properties_have_no_valid_value_is_closed(profile: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": NOTHING}

    assert sent(schema, profile)["additionalProperties"] is False


@pytest.mark.parametrize("profile", ["llama-cpp", "openai-strict", "anthropic-strict"])
def test_an_array_whose_items_have_no_valid_value_is_empty_or_told(profile: str) -> None:
    form = compiled({"type": "array", "items": NOTHING}, profile)
    decoder = Decoder(form.decoder)

    assert json.loads(decoder.decode(decoder.encode("[]"))) == []
    assert form.widened is Verdict.YES or any(loss.pointer == "/items" for loss in form.losses)


def test_names_that_break_propertynames_of_a_closed_object_are_told() -> None:
    schema = {
        "type": "object",
        "properties": {"long": {"type": "string"}},
        "propertyNames": {"maxLength": 3},
        "additionalProperties": False,
    }

    for profile in ("anthropic-strict", "cohere"):
        assert "/propertyNames" in [loss.pointer for loss in compiled(schema, profile).losses]


def test_null_as_json_text_is_no_property_that_is_left_out() -> None:
    decoder = Decoder(compiled({"type": "object", "properties": {"any": True}}, "openai-strict").decoder)

    assert json.loads(decoder.encode('{"any": null}')) == {"any": "null"}
    assert json.loads(decoder.decode('{"any": "null"}')) == {"any": None}
    assert json.loads(decoder.decode('{"any": null}')) == {}


def test_what_is_no_value_of_a_pair_stands_beside_the_pairs_where_the_object_is_open() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": {"type": "integer"},
    }
    form = compiled(schema, "cohere")
    decoder = Decoder(form.decoder)
    document = {"a": "", "n": 1, "s": "text"}

    answer = json.loads(decoder.encode(json.dumps(document)))
    assert answer == {"a": "", "s": "text", "additional_properties": [{"key": "n", "value": 1}]}
    assert json.loads(decoder.decode(json.dumps(answer))) == document
    assert validate(form.schema, json.dumps(answer))


def test_a_type_that_is_not_stated_is_one_that_has_values() -> None:
    schema = {"properties": {"a": {"type": "string"}}, "required": ["b"], "additionalProperties": False}
    form = compiled({"type": "array", "items": schema}, "anthropic-strict")

    assert validate(form.schema, '{"value": ["text", 1]}')
    assert form.narrowed is Verdict.NO


def renaming(base: str) -> Profile:
    """A profile with a rule for the names of properties, as an own one may have."""
    text = files("llm_schema_engines.providers").joinpath("data", f"{base}.json").read_text(encoding="utf-8")
    profile = json.loads(text)
    rule = {"pattern": "[A-Za-z0-9_]+", "most": 20, "support": "ENFORCED", "basis": "INFERRED"}
    return provider_profile(
        json.dumps(
            {
                **profile,
                "id": f"own-{base}",
                "property_name": {**rule, "source": next(iter(profile["sources"]))},
            }
        )
    )


def test_a_further_property_is_not_taken_for_one_that_is_sent_under_its_name() -> None:
    schema = {"type": "object", "properties": {"a b": {"type": "string"}}}
    form = compile_for(json.dumps(schema), renaming("gemini-json-schema"))
    decoder = Decoder(form.decoder)

    assert json.loads(decoder.encode('{"a b": "1"}')) == {"a_b": "1"}
    for refused in ('{"a b": "1", "a_b": "2"}', '{"a_b": "2"}'):
        with pytest.raises(DataRefused, match="another property has this name"):
            decoder.encode(refused)
    with pytest.raises(DataRefused, match="sent under another"):
        decoder.decode('{"a_b": "1", "a b": 2}')
    assert form.narrowed is Verdict.NO


def test_pairs_may_have_a_name_that_another_property_is_sent_under() -> None:
    schema = {
        "type": "object",
        "properties": {"a b": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    }
    decoder = Decoder(compile_for(json.dumps(schema), renaming("openai-strict")).decoder)

    for document in ({"a b": "1", "a_b": 2}, {"a_b": 2}):
        assert json.loads(decoder.decode(decoder.encode(json.dumps(document)))) == document


@pytest.mark.parametrize("name", ["wire", "meant", "open", "k", "of", "values", ""])
def test_a_property_may_be_called_as_the_decoder_calls_its_parts(name: str) -> None:
    union = {
        "anyOf": [
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
        ]
    }
    schema = {"type": "object", "properties": {name: union, "b": union}, "additionalProperties": False}
    for profile in ("gemini-json-schema", "openai-strict", "cohere"):
        decoder = Decoder(compiled(schema, profile).decoder)
        for document in ({name: {"n": 1}}, {name: {"x": "a"}, "b": {"x": "b"}}):
            assert json.loads(decoder.decode(decoder.encode(json.dumps(document)))) == document


def test_losses_are_explained_below_properties_without_a_name() -> None:
    schema = {"type": "object", "properties": {"": {"type": "string", "maxLength": 1}}}

    assert [loss.pointer for loss in compiled(schema, "anthropic-strict").losses if loss.witness][:1] == [
        "/properties//maxLength"
    ]


def test_alternatives_are_told_apart_where_null_is_said_by_nullable() -> None:
    schema = {
        "type": ["object", "array"],
        "properties": {"n": {"type": ["null", "number"]}, "any": {}},
        "required": ["n", "any"],
    }
    decoder = Decoder(compiled(schema, "gemini-schema").decoder)

    for document in ({"n": None, "any": None}, {"n": 1, "any": [2]}, [3]):
        assert json.loads(decoder.decode(decoder.encode(json.dumps(document)))) == document


def test_listed_values_that_other_keywords_refuse_are_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {
            "code": {"enum": ["ab", "b", 3, None], "pattern": "^a", "maximum": 2},
            "none": {"const": "a", "minLength": 2},
        },
        "required": ["code"],
        "additionalProperties": False,
    }
    form = compiled(schema, "anthropic-strict")

    wire = json.loads(form.schema)["properties"]
    assert wire["code"] == {"anyOf": [{"type": "string", "enum": ["ab"]}, {"type": "null"}]}
    assert list(wire) == ["code"]
    assert form.lossless


def test_bounds_of_draft_4_are_told_where_both_of_their_words_stand() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "number", "minimum": 0}
    form = compiled({**schema, "exclusiveMinimum": True}, "anthropic-strict")

    assert [loss.pointer for loss in form.losses] == ["/exclusiveMinimum", "/minimum"]


def test_a_further_property_with_the_name_of_the_pairs_is_among_them() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": {"type": "integer"},
    }
    form = compiled(schema, "cohere")
    decoder = Decoder(form.decoder)
    document = {"a": "", "additional_properties": 1}

    assert json.loads(decoder.decode(decoder.encode(json.dumps(document)))) == document
    assert not validate(form.meant, {"a": "", "additional_properties": "text"})


def test_the_name_of_a_property_without_a_valid_value_may_be_taken_by_another() -> None:
    schema = {"type": "object", "properties": {"a_b": NOTHING, "a b": {"type": "string"}}}
    form = compile_for(json.dumps(schema), renaming("xgrammar"))

    assert not validate(form.meant, {"a_b": 1})
    assert json.loads(Decoder(form.decoder).encode('{"a b": "x"}')) == {"a_b": "x"}


def test_pairs_do_not_take_the_name_of_a_property_without_a_valid_value() -> None:
    schema = {
        "type": "object",
        "properties": {"additional_properties": NOTHING, "a": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    }
    decoder = Decoder(compiled(schema, "cohere").decoder)

    assert json.loads(decoder.encode('{"a": "", "n": 1}'))["additional_properties_2"] == [
        {"key": "n", "value": 1}
    ]
    assert json.loads(decoder.decode(decoder.encode('{"additional_properties": 2}'))) == {
        "additional_properties": 2
    }


def test_losses_are_explained_below_a_property_without_a_name_beside_one_called_properties() -> None:
    inner = {"type": "object", "properties": {"a": {"enum": ["a"], "type": "number"}}}
    form = compiled({"type": "object", "properties": {"": inner, "properties": {}}}, "xgrammar")

    assert not [loss for loss in form.losses if "found by comparing" in loss.message]
