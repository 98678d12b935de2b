"""What a caller may put into one version, and the checks of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import InvalidRequest, SchemaTooLarge


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bytes of content and payloads, number of tags, bytes of metadata, references of a schema; items and bytes of a page;
    tags and metadata pairs of a search, characters of its texts; characters of a description, and of a tag or a metadata key;
    documents open in one stream of answers, and bytes of all of them in all streams."""

    schema_bytes: int
    data_bytes: int
    references: int
    tags: int
    metadata_bytes: int
    page: int
    page_bytes: int = 3 * 1024 * 1024
    search_terms: int = 100
    search_text: int = 500
    description_length: int = 4096
    tag_length: int = 256
    open_answers: int = 256
    open_answer_bytes: int = 256 * 1024 * 1024

    def check_content(self, content: bytes, field: str) -> None:
        if not content:
            raise InvalidRequest(field, "must not be empty")
        if len(content) > self.schema_bytes:
            raise SchemaTooLarge(field, len(content), self.schema_bytes)

    def check_terms(self, tags: int, metadata: int) -> None:
        """Raises InvalidRequest when a search asks for so many tags and metadata pairs."""
        if tags + metadata > self.search_terms:
            field = "tags" if tags >= metadata else "metadata_filters"
            raise InvalidRequest(
                field,
                f"the search has {tags} tags and {metadata} metadata pairs; the limit of both together is "
                f"{self.search_terms} (setting limits.search_terms)",
            )

    def check_labels(self, description: str | None, tags: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Raises InvalidRequest that names the first thing that is too long, too many or unreadable."""
        if description is not None and len(description) > self.description_length:
            raise InvalidRequest(
                "description",
                f"is {len(description)} characters long; the limit is {self.description_length} "
                "(setting limits.description_length)",
            )
        if len(tags) > self.tags:
            raise InvalidRequest(
                "tags", f"has {len(tags)} items; the limit is {self.tags} (setting limits.tags)"
            )
        for i, tag in enumerate(tags):
            _check_text(f"tags[{i}]", tag, self.tag_length)
        for key in metadata:
            _check_text("metadata", key, self.tag_length)
        size = sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items())
        if size > self.metadata_bytes:
            raise InvalidRequest(
                "metadata",
                f"is {size} bytes long; the limit is {self.metadata_bytes} (setting limits.metadata_bytes)",
            )
        for field, text in (
            ("description", description or ""),
            *(("metadata", v) for v in metadata.values()),
        ):
            if "\x00" in text:
                raise InvalidRequest(field, "must not contain NUL characters")


def _check_text(field: str, text: str, longest: int) -> None:
    if not text or len(text) > longest or text != text.strip():
        raise InvalidRequest(
            field,
            f"{text[:80]!r} must be 1 to {longest} characters (setting limits.tag_length) without white space at the ends",
        )
    if any(ord(c) < 32 for c in text):
        raise InvalidRequest(field, f"{text[:80]!r} must not contain control characters")
