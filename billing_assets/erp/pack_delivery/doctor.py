"""What `billing doctor` says of the folder that close packs are delivered to."""

from billing_assets.erp.pack_delivery.delivery import opener
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.foundation.runtime import Runtime

SUBJECT = "Close packs' folder"


def look_at_pack_folder(runtime: Runtime) -> str:
    """Connects, logs in and looks whether the folder is there and can be listed. Raises FolderError, SettingsError."""
    folder = opener(runtime.settings.of(PackDeliverySettings))()
    try:
        folder.check()
        files = len(folder.names())
    finally:
        folder.close()
    return f"{folder.address} answers with the host key of the settings, and has {files:,} files"
