"""Files that ship with the package: at the root of a checkout, or inside an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, e.g. `shipped("sql/state")`.

    Raises FileNotFoundError when the installation lacks it.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (path := root / relative).exists():
            return path
    raise FileNotFoundError(f"{relative} is missing from this installation of billing_assets; install it again.")
