"""X12: syntax, envelope, acknowledgements, partners, control numbers. It does not know what a set means."""
