"""A run of its own process that holds lanes; its arguments are the account and the limit.

Reads the database's URL from standard input, writes how many lanes it holds, and refreshes until it is killed.
"""

import sys
import time

from billing_assets.posting.lanes import Lanes


def main() -> None:
    url = sys.stdin.readline().strip()
    with Lanes(url, sys.argv[1], int(sys.argv[2])) as lanes:
        while True:
            print(lanes.refresh(), flush=True)
            time.sleep(0.1)


if __name__ == "__main__":
    main()
