"""How what a search has found is ordered."""

from __future__ import annotations

from enum import IntEnum


class SearchOrder(IntEnum):
    """The numbers are those of the wire."""

    RELEVANCE = 1
    """The best answers first, see storage/ranking.py."""
    NAME = 2
    """By subject and ordinal."""
