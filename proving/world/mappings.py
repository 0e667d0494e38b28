"""Copies of the shipped mapping with something changed, as an integrator would change it."""

import shutil
from pathlib import Path

from billing_assets.erp.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.foundation.shipped import shipped


def edited(
    folder: Path, *, replace: dict[str, str] | None = None, items: str = "", without_item: str | None = None
) -> NetSuiteMapping:
    """The mapping with texts of `mapping.yaml` replaced, lines added to the items' table, or one item taken out."""
    copy = folder / "config"
    shutil.copytree(shipped("config/mapping.yaml").parent, copy, dirs_exist_ok=True)
    file, table = copy / "mapping.yaml", copy / "sample" / "items.csv"
    text = file.read_text(encoding="utf-8")
    for old, new in (replace or {}).items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    rows = table.read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if without_item is None or not row.startswith(f"{without_item},")]
    table.write_text("\n".join(kept) + f"\n{items}", encoding="utf-8")
    return load_mapping(file)
