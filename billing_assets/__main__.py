"""`python -m billing_assets` is the `billing` command."""

from billing_assets.operations.cli import main

main()
