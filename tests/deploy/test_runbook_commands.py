"""Every command of the runbooks that acts on the registry runs, as it stands, against a whole production."""

from __future__ import annotations

from pathlib import Path

import pytest

from .registry_site import KEY, Site
from .runbooks import PAGES, RUN


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_every_page_run(tmp_path: Path) -> None:
    done: set[str] = set()
    with Site(tmp_path, complete=True, quick=False) as site:
        for page in PAGES:
            for block in page.blocks:
                if block.language == RUN and block.commands not in done:
                    done.add(block.commands)
                    try:
                        site.run(block.commands)
                    except AssertionError as error:
                        raise AssertionError(f"{page.name}, {block.section}") from error
            # Pages take the key away, and leave it to its owner's word when it counts again.
            site.run(f"schema-registry keys enable {KEY}")
    assert len(done) > 100
