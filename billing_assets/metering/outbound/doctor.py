"""The partners' folders, as `billing doctor` sees them."""

from collections.abc import Iterator
from functools import partial

from billing_assets.file_exchange.delivery import place
from billing_assets.file_exchange.settings import FolderSettings
from billing_assets.foundation.doctor import Checked, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.outbound.settings import OutboundSettings


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at each folder."""
    for partner, settings in runtime.settings.of(OutboundSettings).folders.items():
        look = partial(_folder, settings, f"outbound.folders.{partner}")
        yield looked(f"Folder for {partner}", look, runtime)


def _folder(settings: FolderSettings, setting: str, _runtime: Runtime) -> str:
    """Looks whether the folder is there and can be listed. Raises FolderError, SettingsError."""
    folder = place(settings, setting).open_folder()
    try:
        folder.check()
        files = len(folder.names())
    finally:
        folder.close()
    return f"{folder.address} is there, and has {files:,} files"
