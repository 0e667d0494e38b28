"""Where interchanges for each partner go."""

from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from billing_assets.file_exchange.settings import FolderSettings
from billing_assets.foundation.sections import Section


class OutboundSettings(Section):
    """Folders of partners. What is made for a partner without one waits, and an alert says so."""

    section: ClassVar[str] = "outbound"

    folders: dict[str, FolderSettings] = Field(
        {},
        description="The folder that the interchanges for each partner (by its name) are delivered to; in the "
        'environment as JSON: {"wires": {"path": "/var/billing/to-wires"}}, or host, user, key_file, host_key, folder',
    )
    sensor_seconds: PositiveInt = Field(30, description="How often we look for interchanges to deliver")
    acknowledgement_hours: PositiveFloat = Field(
        24, description="Alert when a partner has not acknowledged (997) a delivered interchange for this long"
    )
