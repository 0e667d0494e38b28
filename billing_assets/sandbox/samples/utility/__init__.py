"""The utility sample: a made world of 2,000 service points, three months of files of its two markets, and a ledger.

Files, master data and ledger are written from the formats' rules alone; what reads them is never asked.
"""
