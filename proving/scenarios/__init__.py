"""The fault scenarios: a running system, a cause that strikes it, and what is lost, doubled and how soon it is well.

`make faults` runs them at full size on the real daemon and writes the table of docs/reliability.md; the tests run each
in a short form.

    world.py     billing database, our database on a server of its own, sandbox, and the backlog
    fleet.py     who works: `billing up`, or run processes without Dagster
    causes.py    what strikes, by name
    measure.py   one scenario from start to count
"""
