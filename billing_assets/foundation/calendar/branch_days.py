"""The business day of each branch in a statement: SQL for the rooms' stores, and the values that it needs."""

from typing import Any

from psycopg.types.json import Jsonb

from billing_assets.foundation.calendar.business_days import Days


def day_of(branch: str, name: str = "day") -> str:
    """SQL: the day of the branch that a column holds. The statement takes `day_values` under the same name."""
    return f"coalesce((%({name}_of)s::jsonb ->> {branch})::date, %({name})s::date)"


def day_values(days: Days, name: str = "day") -> dict[str, Any]:
    """Parameters for `day_of`; `<name>_last` is the latest day of all, by which an index can be searched."""
    of = {branch: day.isoformat() for branch, day in days.branches.items()}
    return {name: days.default, f"{name}_of": Jsonb(of), f"{name}_last": days.last}
