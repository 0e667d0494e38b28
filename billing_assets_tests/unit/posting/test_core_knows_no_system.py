"""The posting core speaks of items and systems, never of those that it serves."""

from pathlib import Path

import billing_assets.posting

SERVED = ("netsuite", "invoice", "credit memo", "staged_", "reminder", "sftp", "interchange", "close pack")


def test_no_module_of_the_core_names_what_it_serves() -> None:
    modules = sorted(Path(billing_assets.posting.__path__[0]).glob("*.py"))
    assert len(modules) > 10, "the search finds nothing, so it proves nothing"
    named = {(path.name, word) for path in modules for word in SERVED if word in path.read_text("utf-8").lower()}
    assert named == set(), "say it of items, or leave it to the room"
