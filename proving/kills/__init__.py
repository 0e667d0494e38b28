"""The kill campaign: real processes killed at named points, restarted, and counted at NetSuite's side.

`python -m proving.kills --rounds N` runs all of it and prints one row per point.

    world.py     one system: billing database, our database, sandbox, and the backlog that is to arrive whole
    counting.py  what is lost, doubled, off or unequal, by comparing the billing database with the sandbox
    points.py    the named points: where a process stops itself
    victim.py    the process that is killed, and the one that goes on afterwards
    rounds.py    kill again and again, go on, count
    daemon.py    the same with Dagster's daemon, run worker and code server
    campaign.py  all points, many rounds, on servers of its own
"""
