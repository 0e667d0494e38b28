"""What of this room runs beside Dagster in `billing up`."""

import sys


def commands(files_port: int) -> dict[str, list[str]]:
    """`billing files`: close packs and other files that the web UI links to, on loopback."""
    return {"billing files": [sys.executable, "-m", "billing_assets", "files", "--port", str(files_port)]}
