"""A revision token belongs to one registry and sorts as the log does."""

import pytest

from llm_schema_registry_server.errors import RevisionUnknown
from llm_schema_registry_server.model.change import format_revision, parse_revision


def test_a_token_comes_back_as_its_sequence() -> None:
    assert parse_revision("0a1b2c3d", format_revision("0a1b2c3d", 1234)) == 1234


def test_tokens_sort_as_their_sequences() -> None:
    sequences = [1, 9, 10, 255, 256, 2**40]
    tokens = [format_revision("0a1b2c3d", s) for s in sequences]

    assert sorted(tokens) == tokens


@pytest.mark.parametrize(
    "token", ["", "x", "0a1b2c3d.", "0a1b2c3d.12", "deadbeef.0000000000000001", "0a1b2c3d." + "G" * 16]
)
def test_a_foreign_or_malformed_token_is_refused(token: str) -> None:
    with pytest.raises(RevisionUnknown):
        parse_revision("0a1b2c3d", token)
