"""instructor: a response model of the registry. Its retries tell the model what is wrong in few tokens.

ticket = ChatContract.load(registry, "support.ticket@^2", tool=True)
value = client.chat.completions.create(response_model=response_model(ticket), max_retries=2, ...)
"""

from __future__ import annotations

from .contract import Contract
from .errors import needs

try:
    import instructor  # noqa: F401  # so that its absence is told here, and not later by a class that nobody takes
except ModuleNotFoundError as error:
    raise needs("instructor", "instructor", error) from error

from .pydantic import RegistryModel, answer_class


def response_model(contract: Contract, name: str = "") -> type[RegistryModel]:
    """The class to give as `response_model`: the model is shown the compiled schema, and what comes back is an instance in the shape
    of the version. Raises ValueError for a schema that does not describe an object."""
    return answer_class(contract, name)
