"""What can be set of retention."""

from typing import ClassVar

from pydantic import Field, PositiveInt

from billing_assets.foundation.sections import Section


class RetentionSettings(Section):
    """How long history is kept where the daily work is done."""

    section: ClassVar[str] = "retention"

    attempts_days: PositiveInt = Field(
        90, description="How long after posting the log of a document stays in the tables that posting works with"
    )
    runs_days: PositiveInt = Field(
        30, description="How long Dagster keeps a run that is over, unless it is the last one of its asset or batch"
    )
    batches_days: PositiveInt = Field(
        400, description="How long a posted batch stays a partition in the web UI; our own tables keep all of them"
    )
