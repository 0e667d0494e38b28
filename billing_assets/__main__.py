"""`python -m billing_assets` is the `billing` command."""

from billing_assets.cli import main

main()
