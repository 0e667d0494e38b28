"""`python -m proving.benchmarks`. Imports nothing before it must: measured processes begin by importing this file."""

import sys

if __name__ == "__main__":
    from proving.benchmarks.command import main

    sys.exit(main())
