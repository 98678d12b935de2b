"""The gate of a subject: a JSON Schema is registered only if it fits the providers that the settings name."""

from __future__ import annotations

from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.providers.findings import gravity

from ..errors import ProviderRefused
from ..model.config import EffectiveConfig
from ..model.profile import ProfileFit
from ..model.subject import Subject
from ..workers.provider_tasks import CheckProfiles
from .library import KnownSchema, Library
from .profiles import Profiles

_FINDINGS = 20
"""Findings that are looked at; the gravest of them is told."""


class ProviderGate:
    """What a schema has to pass beside the other checks of a registration."""

    def __init__(self, library: Library, profiles: Profiles) -> None:
        self._library, self._profiles = library, profiles

    async def admit(
        self, subject: Subject, schema: KnownSchema, config: EffectiveConfig, *, advice: str = ""
    ) -> None:
        """Raises ProviderRefused for a JSON Schema that does worse under a profile of the settings than `worst_fit`, or when there is
        no such profile. advice: said in place of the usual way out."""
        if not config.profiles or schema.schema_type is not SchemaType.JSON:
            return
        known = await self._profiles.all()
        for name in config.profiles:
            if name not in known:
                raise ProviderRefused(
                    str(subject),
                    name,
                    ProfileFit.UNKNOWN.name,
                    config.worst_fit.name,
                    f"there is no profile {name!r} (any more)",
                    advice=advice or "put it with PutProfile, or take it out of `profiles` with SetConfig",
                )
        given = tuple(known[name].given for name in dict.fromkeys(config.profiles))
        checked = await self._library.run(CheckProfiles(schema.source, given, findings=_FINDINGS))
        for report in checked.reports:
            fit = ProfileFit[report.fit.name]
            if fit <= config.worst_fit:
                continue
            worst = max(report.findings, key=gravity)
            raise ProviderRefused(
                str(subject),
                report.profile,
                fit.name,
                config.worst_fit.name,
                str(worst),
                pointer=worst.pointer,
                rule=worst.rule,
                more=len(report.findings) - 1,
                advice=advice,
            )
