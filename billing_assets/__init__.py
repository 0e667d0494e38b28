"""Month-end billing from a SQL billing system into NetSuite, as Dagster assets."""

import gc
import warnings

# Dagster is pinned exactly, so what it calls beta cannot change under us; its warnings would bury our own lines.
warnings.filterwarnings("ignore", message=".*is currently in (beta|preview).*")

# Python looks for garbage in cycles after every 700 new objects. Importing Dagster and the rooms makes a million that
# stay, and looking through them again and again took a fifth of the start of each command, run and code server.
gc.set_threshold(50_000, 10, 10)
