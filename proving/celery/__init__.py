"""The deployment on Celery workers, carried out: real servers, and the very commands of the unit files.

machines.py  a machine of a deployment: its own folders, environment and processes, nothing of the others'
proof.py     a system of several machines at work, one of them killed; what arrived, what was lost, how long it took
campaign.py  `make celery`: the proof at full size, and its table in deploy/celery/README.md
"""
