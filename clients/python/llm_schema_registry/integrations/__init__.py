"""The registry's schemas in the terms of the libraries that speak to language models. One module a library; each is imported by
you, when you use it, and none by the SDK. docs/llm/integrations.md.

`Contract` is what they have in common: one version of a schema as one provider takes it, and the way back for its answers.
"""

from .contract import Contract
from .errors import AnswerRefused, NoAnswer
from .streams import AsyncGuardedStream, GuardedStream

__all__ = ["AnswerRefused", "AsyncGuardedStream", "Contract", "GuardedStream", "NoAnswer"]
