"""Speed, measured against the limit and a peer in the same run, as ratios. `make bench`."""
