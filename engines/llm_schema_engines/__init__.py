"""The engines of the LLM Schema Registry as a library: JSON Schema, Avro and Protobuf, without a server.

    from llm_schema_engines import check, parse, validate

    schema = parse(text)                      # raises InvalidSchema with every fault and its place
    if not check(schema, old_text, "FULL"):   # the server's own verdict, with a proof or an example
        ...
    report = validate(schema, {"id": 7})      # true when valid; report.errors say why not

Schemas are bytes or text (or a `Schema` that has been parsed), references are schemas by name, and what comes back are
frozen values. See docs/engines.md. Needs `pip install 'llm-schema-registry[engines]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api.public import *  # noqa: F403  # its __all__ is the list
else:  # the engines are loaded when one is used: parts of this package are of use without them

    def __getattr__(name: str) -> object:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from .api import public
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == __name__:
                raise
            raise ModuleNotFoundError(
                f"{__name__} needs {error.name}: pip install 'llm-schema-registry[engines]'", name=error.name
            ) from error
        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(public, name)

    def __dir__() -> list[str]:
        return sorted([*globals(), *__getattr__("__all__")])
