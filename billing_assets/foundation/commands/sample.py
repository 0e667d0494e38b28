"""The sample's NetSuite sandbox, for commands that can read from it: only operations knows sandboxes, and brings it."""

from contextlib import AbstractContextManager
from pathlib import Path

from billing_assets.areas import verbs


def reachable_netsuite(home: Path) -> AbstractContextManager[str]:
    """The address of the sandbox that the settings name; else of the sample's, the running one or one for the block.
    In the block the environment points at it."""
    (reachable,) = verbs("sample", "reachable_netsuite", ())
    found: AbstractContextManager[str] = reachable(home)
    return found
