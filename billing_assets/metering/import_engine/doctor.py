"""The input folders, as `billing doctor` sees them."""

from collections.abc import Iterator
from functools import partial

from billing_assets.file_exchange.delivery import place
from billing_assets.foundation.doctor import Checked, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.import_engine.settings import InputFolder, MeteringSettings


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at each folder."""
    for name, settings in runtime.settings.of(MeteringSettings).folders.items():
        look = partial(_folder, settings, f"metering.folders.{name}")
        yield looked(f"Input folder {name}", look, runtime)


def _folder(settings: InputFolder, setting: str, _runtime: Runtime) -> str:
    """Looks whether the folder is there and can be listed. Raises FolderError, SettingsError."""
    folder = place(settings, setting).open_folder()
    try:
        folder.check()
        files = len(folder.names())
    finally:
        folder.close()
    return f"{folder.address} is there, and has {files:,} files"
