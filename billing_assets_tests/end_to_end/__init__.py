"""The outer layers with everything behind them: Dagster, both databases and NetSuite's stand-in, all real."""
