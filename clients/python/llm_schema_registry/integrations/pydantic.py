"""pydantic: a class of yours becomes a schema, and a schema a class. `register` and `model` of the clients come here.

registry.register(Ticket, "support.ticket")
Ticket = registry.model("support.ticket@^2")
ticket = Ticket.model_validate_json(answer)     # valid under the schema, or a ValidationError with the pointers
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .._arguments import described
from .._encode import data_bytes
from .._local import DEFAULT_ERRORS
from .._pointers import tokens
from ..results import SchemaContent, SchemaInfo
from .errors import needs

try:
    from pydantic import (
        BaseModel,
        GetJsonSchemaHandler,
        SerializerFunctionWrapHandler,
        TypeAdapter,
        model_serializer,
        model_validator,
    )
    from pydantic.functional_validators import ModelWrapValidatorHandler
    from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError
except ModuleNotFoundError as error:
    raise needs("pydantic", "pydantic", error) from error

from .inlining import inlined
from .modelling import Builder

if TYPE_CHECKING:
    from pydantic import SerializationInfo

    from .._local import CompiledSchema
    from .contract import Contract


class RegistryPart(BaseModel):
    """A class that was made of a part of a schema. What was not set is left out of what it is written as."""

    @model_serializer(mode="wrap")
    def _without_unset(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        written = handler(self)
        if isinstance(written, dict):
            for name, field in type(self).model_fields.items():
                if name not in self.model_fields_set:
                    written.pop(name, None)
                    written.pop(field.alias, None)
        return written


class RegistryModel(RegistryPart):
    """A class that was made of a version of the registry. Whatever makes an instance of it from data validates the data under the
    schema of the version, by the registry's engines."""

    schema_version: ClassVar[SchemaContent]
    """The version."""
    _compiled: ClassVar[Any]

    @model_validator(mode="wrap")
    @classmethod
    def _valid_under_the_schema(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return handler(data if isinstance(data, cls) else cls._checked(data))

    @classmethod
    def _checked(cls, data: Any) -> Any:
        """What the fields are taken from. Raises ValidationError for data that is not valid under the schema."""
        if isinstance(data, dict):
            known = cls.model_fields
            data = {
                known[n].alias or n if n in known and known[n].alias not in data else n: v
                for n, v in data.items()
            }
        try:
            payload = data_bytes(json.dumps(data) if isinstance(data, str) else data)
        except TypeError as error:
            raise ValueError(str(error)) from error
        report = cls._compiled.validator.validate(payload, max_errors=DEFAULT_ERRORS)
        if not report.valid:
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=PydanticCustomError(_word(e.error_type), "{told}", {"told": e.message}),
                        loc=_location(e.path),
                        input=_held(data, _location(e.path)),
                    )
                    for e in report.errors
                ],
            )
        return data

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """The schema of the version, as it was registered."""
        found: dict[str, Any] = json.loads(cls.schema_version.content)
        return found

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Within another schema: that of the version with its definitions in place, or what pydantic makes of the class where it
        is recursive or refers to other documents."""
        whole = inlined(json.loads(cls.schema_version.content))
        return handler(core_schema) if whole is None else copy.deepcopy(whole)


def model_class(compiled: CompiledSchema, name: str = "") -> type[RegistryModel]:
    """The class for a version. Raises ValueError when the schema does not describe an object."""
    version = compiled.schema
    document = json.loads(version.content) if version.schema_type == "JSON" else None
    if not isinstance(document, dict) or (document.get("type") != "object" and "properties" not in document):
        raise ValueError(
            f"version {version.version} of {version.subject!r} is no JSON Schema of an object with `type` or `properties`; "
            "a class can be made of those"
        )
    title = document.get("title")
    called = (
        name
        or (title if isinstance(title, str) else "")
        or version.subject.rpartition("/")[2].rpartition(".")[2]
    )
    held = SchemaInfo.immutable(version) if isinstance(version, SchemaInfo) else version
    made = Builder(document, RegistryPart).root(called, RegistryModel)
    assert issubclass(made, RegistryModel)
    made.schema_version, made._compiled = held, compiled
    return made


def answer_class(contract: Contract, name: str = "") -> type[RegistryModel]:
    """The class for the answers of a provider: its JSON Schema is the compiled one, for libraries that send the schema of a class and
    make instances of what comes back. Instances have the shape of the schema of the version; what is not valid is a ValidationError
    whose text asks the model again. Raises as `model_class`."""
    base = model_class(contract.compiled, name or contract.name)

    class Answer(base):  # type: ignore[misc, valid-type]  # made at run time
        @classmethod
        def _checked(cls, data: Any) -> Any:
            return contract.decode(data)

        @classmethod
        def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
            return contract.json_schema

    Answer.__name__ = Answer.__qualname__ = contract.name
    return Answer


def content_of(model: Any, mode: str) -> bytes | dict[str, Any]:
    """The schema of a class. mode: `validation`, what is taken, or `serialization`, what is written: they differ."""
    if mode not in ("validation", "serialization"):
        raise ValueError(f"mode: 'validation' or 'serialization' is expected, not {described(mode)}")
    if isinstance(model, str | bytes | Mapping):  # to pydantic, a text is the name of a type
        raise TypeError(
            f"model: a pydantic class or another type is expected, not {described(model)}; "
            "a subject and its schema are registered with register_schema(subject, schema)"
        )
    if isinstance(model, type) and issubclass(model, RegistryModel):
        return model.schema_version.content
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_json_schema(mode=mode)  # type: ignore[arg-type]  # checked above
    try:
        known = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
        return known.json_schema(mode=mode)  # type: ignore[arg-type]  # checked above
    except Exception as error:  # pydantic raises whatever what it is given does
        raise TypeError(
            f"model: {described(model)} is nothing of which pydantic makes a JSON Schema: {str(error)[:300]}"
        ) from error


def subject_of(model: Any) -> str:
    """The subject of a class that names none: its `schema_subject`, or its own name. Raises TypeError when it has none."""
    found = getattr(model, "schema_subject", "") or getattr(model, "__name__", "")
    if not isinstance(found, str) or not found:
        raise TypeError("subject: the model has no name; say under which subject it is registered")
    return found


def _word(keyword: str) -> str:
    """A type of error as pydantic takes it."""
    return keyword.replace("/", "_").replace("-", "_") or "invalid"


def _held(data: Any, location: tuple[str | int, ...]) -> Any:
    """The value at a place, or what was given where it is not made of dicts and lists down to there."""
    at = data
    for token in location:
        try:
            at = at[token if isinstance(at, list) else str(token)]
        except (KeyError, IndexError, TypeError):
            return data
    return at


def _location(pointer: str) -> tuple[str | int, ...]:
    return tuple(int(t) if t.isdigit() else t for t in tokens(pointer))
