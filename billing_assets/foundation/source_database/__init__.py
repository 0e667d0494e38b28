"""A database of the customer that we only read: connecting, what goes wrong there, and values taken over exactly."""
