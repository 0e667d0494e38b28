"""Month-end billing from a SQL billing system into NetSuite, as Dagster assets."""

import warnings

# Dagster is pinned exactly, so what it calls beta cannot change under us; its warnings would bury our own lines.
warnings.filterwarnings("ignore", message=".*is currently in (beta|preview).*")
