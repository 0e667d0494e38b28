"""Reads, consumption, tariffs and master data from the customer's own systems: by SQL, and by an HTTP API."""
