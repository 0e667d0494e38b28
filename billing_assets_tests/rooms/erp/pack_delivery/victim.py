"""Deliveries that kill themselves, each at a point of its own: `python -m … url section month=point …`.

One process that becomes many: starting as many would take longer than everything else. Prints the signal that ended
each, by month, as JSON.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, cast

import paramiko

from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.foundation.files.sftp import SftpFolder
from billing_assets_tests.rooms.erp.pack_delivery.packs import run
from billing_assets_tests.rooms.posting import victim
from billing_assets_tests.rooms.posting.victim import Trap, around

MID_UPLOAD = "a file is being uploaded"
POINTS: dict[str, Callable[[Any, Trap], None]] = cast("dict[str, Callable[[Any, Trap], None]]", victim.POINTS) | {
    MID_UPLOAD: lambda _, trap: around(paramiko.SFTPFile, "write", trap, "after"),
    "a request is about to leave": lambda _, trap: around(SftpFolder, "put", trap, "before"),
    "a file is uploaded and has no name": lambda _, trap: around(SftpFolder, "_give_name", trap, "before"),
    "a request has landed": lambda _, trap: around(SftpFolder, "_give_name", trap, "after"),
}
del POINTS["none"]


def die(url: str, to: PackDeliverySettings, month: str, point: str) -> None:
    """One delivery."""
    POINTS[point](None, Trap(2 if point == MID_UPLOAD else 1))  # a file has several pieces
    run(url, to, month, "victim")


def main(url: str, section: str, *months: str) -> None:
    """All of them side by side."""
    to = PackDeliverySettings.model_validate_json(section)
    children = {}
    for month, _, point in (one.partition("=") for one in months):
        if (child := os.fork()) == 0:
            try:
                die(url, to, month, point)
            finally:
                os._exit(0)
        children[child] = month
    ended = dict(os.wait() for _ in months)
    print(json.dumps({month: os.WTERMSIG(ended[child]) for child, month in children.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
