"""The diagram in the documentation is the machine."""

import re

from billing_assets.metering.usage.states import AT_REST, TRANSITIONS, State
from billing_assets_tests import diagrams
from billing_assets_tests.docs_tables import ROOT


def test_the_diagram_shows_every_move_and_no_other() -> None:
    diagram = diagrams.usage()
    box = set(re.search(r"\{\n(.*?)\}", diagram, re.DOTALL)[1].split())  # type: ignore[index]
    assert box == {str(state) for state in AT_REST}
    moves = {(one, other) for one in box for other in box if one != other}
    for source, target in re.findall(r"^    (\w+) --> (\w+)$", diagram, re.MULTILINE):
        moves |= {(source, one) for one in (box if target == "settled" else {target})}
    assert moves == {(str(state), str(target)) for state in State for target in TRANSITIONS[state]}


def test_the_documentation_has_the_diagram_as_it_is_now() -> None:
    assert diagrams.usage() in (ROOT / "docs/metering.md").read_text(encoding="utf-8")
