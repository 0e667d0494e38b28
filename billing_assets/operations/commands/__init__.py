"""The parts of the `billing` command: one module for each group of subcommands."""
