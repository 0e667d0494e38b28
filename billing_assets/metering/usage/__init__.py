"""Usage and charges: which belong together, what cancels and replaces what, what may be billed."""
