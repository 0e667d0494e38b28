"""Speed and memory, measured against a limit or a peer in the same run, as ratios: `make bench`.

A measure is a function that plays rounds of (ours, against) at a `Place`; `registry.py` lists all of them.
"""
