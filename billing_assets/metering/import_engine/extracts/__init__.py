"""Extracts: what a query or an API of the customer's systems gave, as a file of JSON lines, read like any other."""

from billing_assets.metering.import_engine.extracts.reader import FORMAT, read, recognises

__all__ = ["FORMAT", "read", "recognises"]
