"""Corrections: what cancels an issued invoice, bills it again, or carries a difference to the next bill."""
