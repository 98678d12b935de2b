"""Calls about the registry as a whole."""

from __future__ import annotations

from .. import _decode_admin
from .._call import ADMIN, Unary, unary
from .._checked import checked
from ..statistics import Statistics
from ..v1 import admin_pb2


@checked
def get_statistics(*, fresh: bool = False, timeout: float | None = None) -> Unary[Statistics]:
    """How much the registry holds, as it was counted last (`as_of`), and which versions are used most.

    The registry counts by itself every few minutes; `fresh` has it count now, unless its last count is younger than ten times
    what it took, or than ten seconds if that is less.
    """
    request = admin_pb2.GetStatisticsRequest(fresh=fresh)
    return unary(
        ADMIN + "GetStatistics", admin_pb2.GetStatisticsResponse, _decode_admin.statistics, request, timeout
    )
