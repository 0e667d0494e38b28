"""All that other areas use of this one: usage, charges and readings that may be billed, and how master data is read.

In SQL they read the views `billing.billable_usage`, `billing.utility_charges` and `billing.validated_periods`, and the
tables of master data.
"""

from billing_assets.metering.readings.master_data import (
    PERIOD,
    Column,
    Kind,
    MasterDataError,
    Row,
    read_day,
    read_folder,
    read_number,
    read_one_of,
    read_whole,
    read_yes,
)
from billing_assets.metering.readings.master_store import Loaded
from billing_assets.metering.readings.master_store import load as load_master
from billing_assets.metering.usage.candidate_reports import Proposal, proposals
from billing_assets.metering.usage.content_reports import MessageContent, contents
from billing_assets.metering.usage.store import lock_ready, note_all_billed, take_candidate
from billing_assets.metering.validation.delivered import DeliveredStream, delivered

__all__ = [
    "PERIOD",
    "Column",
    "DeliveredStream",
    "Kind",
    "Loaded",
    "MasterDataError",
    "MessageContent",
    "Proposal",
    "Row",
    "contents",
    "delivered",
    "load_master",
    "lock_ready",
    "note_all_billed",
    "proposals",
    "read_day",
    "read_folder",
    "read_number",
    "read_one_of",
    "read_whole",
    "read_yes",
    "take_candidate",
]
