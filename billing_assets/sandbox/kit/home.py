"""What is in a sandbox's folder, besides its state and its credentials."""

ADDRESS_FILE = "server.json"
"""Address and process id, written once it listens."""

LOG_FILE = "sandbox.log"
LOCK_FILE = "lock"
"""Held by the process that serves the folder."""
