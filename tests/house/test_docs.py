"""The pages that are written from the code say what the code does now."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
CHART = DOCS.parent / "helm" / "llm-schema-registry"
OF_THE_CHART = runpy.run_path(str(DOCS.parent / "helm" / "generate.py"))["pages"]()


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("name", list(OF_THE_CHART))
def test_what_the_chart_has_of_the_code_is_fresh(name: str) -> None:
    assert (CHART / name).read_text() == OF_THE_CHART[name], "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    rows = [r for r in PAGES["settings.md"]().splitlines() if r.startswith("| `")]

    assert rows
    assert all(r.rsplit("|", 2)[1].strip() for r in rows)
