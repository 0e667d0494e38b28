"""Green Button feeds: NAESB ESPI in Atom XML."""

from billing_assets.metering.import_engine.espi.reader import FORMAT, read, recognises

__all__ = ["FORMAT", "read", "recognises"]
