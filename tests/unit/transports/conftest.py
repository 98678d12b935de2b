"""What the transports' tests share."""

import pytest


@pytest.fixture
def stall_seconds() -> float:
    """Long enough that a machine that pauses ends nobody; the tests of readers that never read ask for less."""
    return 30
