"""Flame graphs and plots: valid SVG that shows what was given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
from loads import flames, plots  # noqa: E402
from loads.layers import REST, function, layer, shortened  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
STACKS = """\
main (a.py:1);read <b> (b.py:2);decode (c.py:3) 30
main (a.py:1);read <b> (b.py:2) 10

main (a.py:1);write & go (d.py:4) 60
"""


def titles(svg: str) -> dict[str, float]:
    """The boxes' widths by their tooltips."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title, box = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert title.text is not None
        assert box is not None
        found[title.text] = float(box.attrib["width"])
    return found


def test_a_flame_graph_has_a_box_for_each_call_as_wide_as_its_share() -> None:
    found = titles(flames.flame_graph("a & b", flames.read(STACKS)))

    assert set(found) == {
        "main (a.py:1), 100.0%",
        "read <b> (b.py:2), 40.0%",
        "decode (c.py:3), 30.0%",
        "write & go (d.py:4), 60.0%",
    }
    assert found["decode (c.py:3), 30.0%"] == pytest.approx(0.3 * flames.WIDTH, abs=1)


def test_boxes_that_nobody_could_see_are_left_out() -> None:
    stacks = {("main",): 100_000, ("main", "rare"): 1}

    assert set(titles(flames.flame_graph("", stacks))) == {"main, 100.0%"}


def test_no_stack_is_a_flame_graph_too() -> None:
    assert titles(flames.flame_graph("", {})) == {}


def test_equal_stacks_are_added_up_and_threads_outside_of_python_are_told() -> None:
    assert flames.read("a;b 1\na;b 2\n 5\n") == {("a", "b"): 3, (): 5}


def test_a_line_that_is_no_stack_is_named() -> None:
    with pytest.raises(ValueError, match="line 2 is no collapsed stack: 'a;b'"):
        flames.read("a;b 1\na;b\n")


def test_own_time_is_a_share_of_everything_the_largest_first() -> None:
    shares = flames.own_time(flames.read(STACKS), lambda stack: stack[-1])

    assert list(shares.values()) == [0.6, 0.3, 0.1]


def test_a_sample_belongs_to_the_innermost_frame_that_has_a_layer() -> None:
    stack = (
        "run (asyncio/runners.py:1)",
        "f (llm_schema_registry_server/calls/pipeline.py:1)",
        "g (json/decoder.py:1)",
    )

    assert layer(stack) == "calls: pipeline, guards, cached answers"
    assert layer(stack[:1]) == REST
    assert function(stack) == "g (json/decoder.py)"


def test_files_of_frames_are_shortened() -> None:
    assert (
        shortened("f (/work/x/server/llm_schema_registry_server/app.py:3)")
        == "f (llm_schema_registry_server/app.py:3)"
    )
    assert shortened("f (/v/lib/python3.11/site-packages/grpc/aio.py:3)") == "f (grpc/aio.py:3)"
    assert shortened("f (/usr/lib/python3.11/json/decoder.py:3)") == "f (json/decoder.py:3)"


def test_what_the_event_loop_does_is_not_the_work_of_who_started_it() -> None:
    stack = ("main (llm_schema_registry_server/app.py:1)", "Runner.run (asyncio/runners.py:118)")

    assert layer(stack) == REST


def test_a_histogram_is_a_line_for_each_series() -> None:
    svg = plots.histogram("latency <p>", {"a": [1.0, 1.1, 5.0], "b": [0.02, 300.0]})

    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}polyline"))) == 2


def test_lines_keep_within_the_picture() -> None:
    svg = plots.lines("x", {"a": [(0.0, 0.0), (10.0, 5.0), (20.0, 1e6)]}, "seconds", "MiB")

    (line,) = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert all(0 <= x <= plots.WIDTH and 0 <= y <= plots.HEIGHT for x, y in points)


@pytest.mark.parametrize("values", [{}, {"a": []}])
def test_nothing_to_show_is_said(values: dict[str, list[float]]) -> None:
    assert "nothing was measured" in plots.histogram("x", values)
    assert "nothing was measured" in plots.lines("x", {}, "seconds", "MiB")
