"""What is proved outside the test suite: campaigns, benchmarks, and what both share with the tests.

campaign.py   `make faults`: every fault campaign at full size, and its tables in docs/reliability.md
kills/        processes killed at named points, Dagster's own among them
scenarios/    a running system, and what strikes it: restarts, storms, full disks
life/         a model of a document's life over the real staging, lock and posting code, and what breaks without a guard
bad_input/    odd rows, odd answers, and a fuzzer
mistakes/     what an operator does wrong, and what can be done about it
celery/       `make celery`: the sample on Celery workers, one machine dying
benchmarks/   `make bench`: speed and memory as ratios
world/        what all of them and the tests run on: databases, the billing system, the sandbox, the command
tests/        a short form of each: `make proving`
"""
