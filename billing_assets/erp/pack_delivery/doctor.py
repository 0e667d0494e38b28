"""The folder that close packs are delivered to, as `billing doctor` sees it."""

from collections.abc import Iterator

from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.file_exchange.delivery import sftp_place
from billing_assets.foundation.doctor import Checked, looked
from billing_assets.foundation.runtime import Runtime


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at the folder, where the settings name one."""
    if runtime.settings.of(PackDeliverySettings).host is not None:
        yield looked("Close packs' folder", _folder, runtime)


def _folder(runtime: Runtime) -> str:
    """Connects, logs in and looks whether the folder is there and can be listed. Raises FolderError, SettingsError."""
    folder = sftp_place(runtime.settings.of(PackDeliverySettings), PackDeliverySettings.section).open_folder()
    try:
        folder.check()
        files = len(folder.names())
    finally:
        folder.close()
    return f"{folder.address} answers with the host key of the settings, and has {files:,} files"
