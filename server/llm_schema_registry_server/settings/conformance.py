"""Settings about what becomes of answers of language models."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class ConformanceSettings(Section):
    models: int = Field(50, ge=1, le=1000)
    """Models of one version that are told apart in what ReportOutcomes counts; all further ones are counted together, as `other`."""
    keep_days: int = Field(400, ge=1, le=3650)
    """Days for which counts are kept by day, for GetConformance with `since` or `until`. The sums over all days stay as long as the version."""
    waiting: int = Field(100_000, ge=1000)
    """Most counts of reports that wait for the storage; further reports are refused with RESOURCE_EXHAUSTED and may be repeated."""
    pause_seconds: float = Field(0.25, ge=0, le=10)
    """Between two transactions that count reports; those that come meanwhile go into the next one together."""
    error: float = Field(0.01, gt=0, le=0.5)
    """Probability that a subject is ever told of a drop that is none, over all its versions and models and all time
    (docs/llm/conformance.md)."""
    margin: float = Field(0.01, ge=0, lt=1)
    """Share of answers by which the rate of those that are valid at once may fall from one version to the next without being a drop."""
