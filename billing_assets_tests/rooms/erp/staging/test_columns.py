"""What the web UI says about the staging table's columns."""

from sqlalchemy import Engine, text

from billing_assets.erp.staging.assets import COLUMNS


def test_the_described_columns_are_columns_of_the_staging_table(state_engine: Engine) -> None:
    query = text(
        "select column_name, replace(data_type, 'timestamp with time zone', 'timestamptz') "
        "from information_schema.columns where table_schema = 'billing' and table_name = 'staged_invoices'"
    )
    with state_engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(query)}
    described = {column.name: column.type for column in COLUMNS.columns}
    assert described.items() <= found.items()
    assert all(column.description for column in COLUMNS.columns)
