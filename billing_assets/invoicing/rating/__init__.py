"""Rates usage by a tariff: a pure function, without database, clock, HTTP or floats."""
