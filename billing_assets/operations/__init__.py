"""What the `billing` command does around the pipeline: processes, the supervised run, status, doctor."""
