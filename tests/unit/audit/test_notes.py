"""Signed notes as C2SP defines them: what was signed opens, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_schema_registry.audit_verify import open_note
from llm_schema_registry_server.audit.notes import Checkpoint, PublicKey, Signer
from tests.support.storage import START

# From the documentation of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT
    + "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SIGNER = Signer("registry/1", bytes(range(32)))
OTHER = Signer("registry/1", bytes(32))


def test_notes_of_others_are_read() -> None:
    assert PublicKey.parse(GO_KEY).opened(GO_NOTE) == GO_TEXT
    assert open_note(GO_NOTE, GO_KEY) == GO_TEXT
    assert str(PublicKey.parse(GO_KEY)) == GO_KEY


def test_what_was_signed_opens() -> None:
    note = SIGNER.signed("one\n\ntwo\n")

    assert SIGNER.public.opened(note) == open_note(note, str(SIGNER.public)) == "one\n\ntwo\n"


@pytest.mark.parametrize(
    "forged",
    [
        GO_NOTE,
        OTHER.signed("a\n"),
        Signer("another", bytes(range(32))).signed("a\n"),
        SIGNER.signed("a\n").replace("a\n", "b\n", 1),
        SIGNER.signed("a\n").replace("\u2014", "-"),
        SIGNER.signed("a\n").splitlines()[0],
        SIGNER.signed("a\n")[:-8] + "AAAA\n",
        "",
        "a\n\n",
    ],
)
def test_what_the_key_has_not_signed_does_not_open(forged: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SIGNER.public.opened(forged)
    with pytest.raises(ValueError, match=r".+"):
        open_note(forged, str(SIGNER.public))


@pytest.mark.parametrize(
    "text", ["", "a", "a+b+c", GO_KEY[:-4], GO_KEY.replace("c74f", "c74e"), "+" + GO_KEY]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        PublicKey.parse(text)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    checkpoint = Checkpoint("origin", 7, bytes(32), START)
    note = SIGNER.signed(checkpoint.text)

    assert Checkpoint.opened(note, SIGNER.public, "origin") == checkpoint
    with pytest.raises(ValueError, match="not of 'elsewhere'"):
        Checkpoint.opened(note, SIGNER.public, "elsewhere")
    for wrong in (
        checkpoint.text + "more\n",
        checkpoint.text.replace("7", "07"),
        checkpoint.text.replace("7", "-7"),
        replace(checkpoint, root=b"x").text,
        "",
    ):
        with pytest.raises(ValueError, match=r".+"):
            Checkpoint.parse(wrong)


def test_a_text_that_no_note_can_hold_is_not_signed() -> None:
    for text in ("a", "a\n\n", ""):
        with pytest.raises(ValueError, match="line break"):
            SIGNER.signed(text)
    with pytest.raises(ValueError, match="no name"):
        Signer("with space", bytes(32))
