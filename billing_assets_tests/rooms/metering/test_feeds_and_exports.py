"""Green Button feeds and CSV exports from their folders into the tables: days that are held wait, all others count."""

import gzip
from decimal import Decimal
from pathlib import Path

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.settings import InputFolder
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source, sums

_DATA = Path(__file__).parents[2] / "data"


def _states(state: Connection) -> dict[tuple[str, str | None], int]:
    rows = state.execute("select state, code, count(*) as many from billing.raw_messages group by 1, 2")
    return {(row["state"], row["code"]): row["many"] for row in rows}


def test_two_days_of_a_year_wait_and_all_its_energy_is_in_the_tables(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, "retailcustomer/9b6c7063/usagepoint/01")
    name = "Coastal_Single_Family_Jan_1_2011_to_Jan_1_2012.xml.gz"
    inbox = fill(tmp_path / "in", {"year.xml": gzip.decompress((_DATA / "green-button" / name).read_bytes())})
    assert run(state_url, source(inbox)).states == {"held": 1}
    assert _states(state) == {("ready", None): 363, ("held", "H-REPEATED-START"): 4, ("held", "H-GAP"): 4}
    of_files, of_messages, of_tables = sums(state)
    assert of_files == of_messages == of_tables
    assert set(of_files.values()) == {Decimal(6562977)}


def test_an_export_is_read_by_the_mapping_of_its_folder_with_its_costs(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, "?")
    inbox = fill(tmp_path / "in", {"usage.csv": (_DATA / "interval" / "amber_sample.csv").read_bytes()})
    folder = InputFolder(path=Path("unused"), mapping="au-retailer-spot")
    assert run(state_url, source(inbox), folder=folder).states == {"accepted": 1}
    row = state.execute(
        "select sum(one * power(10::numeric, -cost_decimals)) as total "
        "from billing.interval_readings, unnest(costs) as one"
    ).fetchone()
    assert row is not None
    assert row["total"] == Decimal("14.954211")
    of_files, of_messages, of_tables = sums(state)
    assert of_files == of_messages == of_tables
    assert set(of_files.values()) == {Decimal("109.418")}
