"""Celery's settings on a worker's machine. `dagster_celery.app` reads this module where its folder is on PYTHONPATH.

A worker that lacks a setting of ours refuses to start here, rather than fail every run that it takes.
"""

from os import environ

import billing_assets.definitions  # noqa: F401  before the processes that carry out runs are forked: they begin at once
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings

_ = Runtime(load_settings(), may_start_server=False).database_url

broker_url = environ["DAGSTER_CELERY_BROKER_URL"]
result_backend = environ["DAGSTER_CELERY_BACKEND_URL"]

# A worker takes no more runs than it can begin at once: one that dies takes none with it that waited. Late
# acknowledgement would not help: a run that died is Dagster's and our business. And with it a Redis that goes away ends
# the worker, and with that its runs (kombu 5.7).
task_acks_late = False
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # on Redis; elsewhere it says in the log that it is ignored

broker_transport_options = {"socket_connect_timeout": 5, "socket_timeout": 10}
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # for ever: a worker waits for its broker

worker_max_tasks_per_child = 100  # a process is replaced after so many runs: what leaks, leaks for hours at most
worker_hijack_root_logger = False  # our own lines stay as we write them
worker_send_task_events = False
