"""NEM12 (interval data) and NEM13 (register reads), the meter data files of the Australian market.

Sources: AEMO's Meter Data File Format and the practice of its market. Both are lines of fields between commas; the
first field says what the line is. `nem12` and `nem13` read them, `frame` what both have in common.
"""
