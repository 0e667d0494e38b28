"""What goes wrong with a sandbox."""


class SandboxError(Exception):
    """A sandbox did not start, or its control API refused a call. The message says why."""


class SwitchError(SandboxError):
    """There is no such switch, or it does not take this value. The message names both."""
