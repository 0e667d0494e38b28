"""A made corpus of X12 and what is expected of each file; see README.md."""
