"""What the `billing` command does around the pipeline."""
