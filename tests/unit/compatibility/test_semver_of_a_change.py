"""A breaking change demands a major step, a compatible one a minor step, anything else a patch."""

import pytest

from llm_schema_engines.compatibility.levels import LEVEL_REQUIREMENTS
from llm_schema_engines.compatibility.semver import change_class, check_explicit, next_version
from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel, Verdict
from llm_schema_engines.model.schema import Fingerprints
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.errors import VersionNotGreater

V = SemanticVersion.parse
OLD = Fingerprints(content="c1", generation="g1", validation="v1")


def test_every_level_has_a_demand() -> None:
    assert set(LEVEL_REQUIREMENTS) == set(CompatibilityLevel)


@pytest.mark.parametrize(
    ("generation", "validation", "verdict", "expected"),
    [
        ("g1", "v1", Verdict.YES, ChangeClass.NONE),
        ("g2", "v1", Verdict.YES, ChangeClass.ANNOTATION_ONLY),
        ("g2", "v2", Verdict.YES, ChangeClass.COMPATIBLE),
        ("g2", "v2", Verdict.NO, ChangeClass.BREAKING),
        ("g2", "v2", Verdict.UNDECIDED, ChangeClass.BREAKING),
    ],
)
def test_fingerprints_and_verdict_make_the_class(
    generation: str, validation: str, verdict: Verdict, expected: ChangeClass
) -> None:
    assert change_class(OLD, Fingerprints("c2", generation, validation), verdict) is expected


@pytest.mark.parametrize(
    ("last", "change", "expected"),
    [
        (None, ChangeClass.UNCLASSIFIED, "1.0.0"),
        ("1.4.2", ChangeClass.BREAKING, "2.0.0"),
        ("1.4.2", ChangeClass.COMPATIBLE, "1.5.0"),
        ("1.4.2", ChangeClass.ANNOTATION_ONLY, "1.4.3"),
        ("1.4.2", ChangeClass.NONE, "1.4.3"),
    ],
)
def test_the_next_version_follows_the_change(last: str | None, change: ChangeClass, expected: str) -> None:
    assert str(next_version(V(last) if last else None, change)) == expected


@pytest.mark.parametrize(
    ("wanted", "change"),
    [
        ("1.4.2", ChangeClass.ANNOTATION_ONLY),
        ("1.4.1", ChangeClass.ANNOTATION_ONLY),
        ("1.4.3", ChangeClass.COMPATIBLE),
        ("1.9.0", ChangeClass.BREAKING),
    ],
)
def test_too_small_a_step_is_refused(wanted: str, change: ChangeClass) -> None:
    with pytest.raises(VersionNotGreater) as caught:
        check_explicit(V(wanted), V("1.4.2"), change)

    assert caught.value.metadata["minimum"] == str(next_version(V("1.4.2"), change))


@pytest.mark.parametrize("wanted", ["1.5.0", "2.0.0", "1.5.0-rc.1"])
def test_a_bigger_step_is_accepted(wanted: str) -> None:
    assert check_explicit(V(wanted), V("1.4.2"), ChangeClass.COMPATIBLE) == V(wanted)
