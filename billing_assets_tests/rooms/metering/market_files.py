"""Small files of the market, written for the tests."""

from datetime import date, timedelta

DAY = date(2026, 7, 1)


def nem12(
    *points: str,
    days: int = 1,
    created: str = "202607020100",
    stamp: str = "20260702010000",
    quality: str = "A",
    value: int = 0,
    suffixes: str = "E1",
    first: date = DAY,
) -> bytes:
    """Half hours of points over some days; `value` tells one file's values from another's."""
    lines = [f"100,NEM12,{created},MDP1,RETAIL1"]
    for number, point in enumerate(points or ("4001000001",)):
        for suffix in (suffixes[at : at + 2] for at in range(0, len(suffixes), 2)):
            lines.append(f"200,{point},{suffixes},1,{suffix},N1,METER{number},kWh,30,")
            for day in (first + timedelta(days=n) for n in range(days)):
                values = ",".join(f"{value + number + n / 1000:.3f}" for n in range(48))
                lines.append(f"300,{day:%Y%m%d},{values},{quality},,,{stamp},{stamp}")
    return "\r\n".join([*lines, "900", ""]).encode()
