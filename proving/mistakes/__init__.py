"""Operators' mistakes: a wrong setting, a wrong id, a restored backup, and what a person can do about each.

`make faults` plays them at full size and writes the table of docs/reliability.md; the tests play each with few
documents. Staging, sensors and posting are the product's own runs; what a person types is a process of `billing`.

    world.py       the system that a mistake is made on, the commands that are typed, and the count at the sandbox
    elsewhere.py   another account, another prefix
    in_netsuite.py what is in NetSuite and is not what was meant: changed there, or sent under a wrong id
    in_time.py     a backup that is put back, documents that appear late
    play.py        all of them by name, and one from start to count
"""
