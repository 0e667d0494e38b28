"""The SFTP folder that close packs are delivered to."""

from typing import ClassVar

from pydantic import Field

from billing_assets.file_exchange.settings import SftpFolderSettings


class PackDeliverySettings(SftpFolderSettings):
    """Where the packs of months that were closed for good go. Without a host nothing is delivered."""

    section: ClassVar[str] = "pack_delivery"

    host: str | None = Field(
        None, description="SFTP server that the pack of each month closed for good is delivered to; default: none"
    )
