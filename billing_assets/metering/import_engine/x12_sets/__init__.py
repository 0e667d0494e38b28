"""What the sets of the utility market mean: pure functions from a set's segments to its content and findings."""
