"""Only what was sealed under a name, unchanged, is unsealed under it."""

from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.caches.sealing import OVERHEAD, key_of, seal, unseal


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.sampled_from([b"", key_of("k" * 100)])
)
def test_what_was_sealed_comes_back(name: str, content: bytes, key: bytes) -> None:
    sealed = seal(name, content, key)

    assert unseal(name, sealed, key) == content
    assert len(sealed) == OVERHEAD + len(content)


@given(st.binary(max_size=40))
def test_garbage_is_nothing(garbage: bytes) -> None:
    assert unseal("a", garbage) is None


@given(st.binary(max_size=20), st.integers(0, 1000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(content: bytes, place: int, change: int) -> None:
    sealed = bytearray(seal("a", content))
    sealed[place % len(sealed)] ^= change

    assert unseal("a", bytes(sealed)) is None


def test_a_cut_another_name_or_another_secret_is_noticed() -> None:
    sealed = seal("a", b"content", key_of("one"))

    assert unseal("a", sealed[:-1], key_of("one")) is None
    assert unseal("b", sealed, key_of("one")) is None
    assert unseal("a", sealed, key_of("two")) is None
    assert unseal("a", sealed) is None
