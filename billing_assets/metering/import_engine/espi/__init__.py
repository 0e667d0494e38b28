"""Green Button feeds: NAESB ESPI in Atom XML."""

from billing_assets.metering.import_engine.espi.reader import EspiOptions, read, recognises

__all__ = ["EspiOptions", "read", "recognises"]
