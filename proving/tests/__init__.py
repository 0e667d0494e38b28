"""A short form of every campaign and benchmark: `make proving`."""
