"""`python -m billing_assets.sandbox.netsuite --folder DIR [--port N] [--host H] [--switch name=value …]`"""

import sys

from billing_assets.sandbox.kit.command import run
from billing_assets.sandbox.netsuite.server import open_app
from billing_assets.sandbox.netsuite.switches import Switches


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is stopped; 1 where it cannot serve. Exits with 2 for a wrong argument."""
    return run("billing_assets.sandbox.netsuite", Switches, open_app, arguments)


if __name__ == "__main__":
    sys.exit(main())
