"""`python -m billing_assets.sandbox.netsuite --folder DIR [--port N] [--host H] [--switch name=value …]`"""

import argparse
import ipaddress
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from filelock import Timeout
from pydantic import ValidationError

from billing_assets.sandbox.netsuite.server import serve
from billing_assets.sandbox.netsuite.switches import Switches


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is stopped; 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog="python -m billing_assets.sandbox.netsuite", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the account's state lives")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="a switch, its value as JSON or plain text"
    )
    options = parser.parse_args(arguments)
    if not _is_loopback(options.host):
        parser.error(f"--host {options.host}: the sandbox serves this machine only; give a loopback address")
    try:
        switches = Switches.model_validate(dict(_switch(text) for text in options.switch))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        parser.error(f"--switch {problems}")
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # before uvicorn takes the signals, and when it raises them again after it has shut down: an ordinary end
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    try:
        serve(options.folder, options.host, options.port, switches)
    except Timeout:
        print(f"another sandbox serves {options.folder}: stop it or choose another folder", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot serve {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _switch(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--switch {text}: give name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
