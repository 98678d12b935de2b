"""Tests of what is in loadtest/: that it measures what it says, not how fast anything is."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "loadtest") not in sys.path:
    sys.path.append(str(ROOT / "loadtest"))
