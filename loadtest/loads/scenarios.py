"""What users do in each scenario. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """weights: how often each operation is done, beside the others. watchers: whether there are subscribers, and of which share of
    the plan's. alone: one user writes, so that subscribers can be counted on."""

    about: str
    weights: Mapping[str, int]
    watchers: float = 0.0
    alone: bool = False


READS = {"GetSchema": 7, "GetLatestVersion": 2, "GetSchemaByVersion": 1}
SCENARIOS: Mapping[str, Scenario] = {
    "reads": Scenario("reads by id, of the latest version and by version, chosen by Zipf's law", READS),
    "storm": Scenario("registrations of new subjects and of next versions", {"RegisterSchema": 1}),
    "validate": Scenario(
        "payloads under schemas chosen by Zipf's law, one in four invalid", {"ValidateData": 1}
    ),
    "compatibility": Scenario(
        "schemas that were not seen before, half of them incompatible", {"CheckCompatibility": 1}
    ),
    "watch": Scenario(
        "one writer, and subscribers of all that it writes", {"RegisterSchema": 1}, watchers=1.0, alone=True
    ),
    "day": Scenario(
        "reads 78 %, validations 12 %, checks 5 %, registrations 3 %, searches 2 %, and a few subscribers",
        {
            "GetSchema": 50,
            "GetLatestVersion": 20,
            "GetSchemaByVersion": 8,
            "ValidateData": 12,
            "CheckCompatibility": 5,
            "RegisterSchema": 3,
            "SearchSchemas": 2,
        },
        watchers=0.1,
    ),
    "ceiling": Scenario(
        "one schema again and again, of a server that only answers with it", {"GetSchema": 1}
    ),
}
