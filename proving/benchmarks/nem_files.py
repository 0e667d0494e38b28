"""Large NEM12 files, for measures."""

import random
from datetime import date, timedelta
from pathlib import Path

COUNT = 48
"""Half hours of a day."""


def write_nem12(path: Path, streams: int, days: int, until: date = date(2024, 7, 1)) -> None:
    """A file of half hours: values as meters give them, none like the one before."""
    drawn = random.Random(7)
    first = until - timedelta(days)
    with path.open("w", encoding="ascii", newline="\r\n") as file:
        file.write("100,NEM12,202407010000,MDA1,RET1\n")
        for stream in range(streams):
            file.write(f"200,VABD{stream:06},E1,1,E1,N1,METER{stream:05},kWh,30,\n")
            for day in range(days):
                values = ",".join(f"{drawn.randrange(3_000) / 1_000:.3f}" for _ in range(COUNT))
                when = first + timedelta(day)
                file.write(f"300,{when:%Y%m%d},{values},A,,,{when:%Y%m%d}230000,{when:%Y%m%d}233000\n")
        file.write("900\n")
