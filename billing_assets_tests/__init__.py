"""The test suite, in rings: `make test`.

unit/     logic without any server
rooms/    a room on real PostgreSQL and sandboxes; folders are named as the package's
system/   the running system, seen from outside
browser/  what people see of it
"""
