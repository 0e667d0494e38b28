"""867 and 810 sets of Texas as a utility writes them, with the facts that matter; an interchange of them."""

from collections.abc import Iterable
from datetime import date

from billing_assets_tests.unit.metering.usage.messages import JUNE, POINT

Period = tuple[date, date]


def usage_set(
    name: str,
    purpose: str = "00",
    of: str = "",
    period: Period = JUNE,
    kwh: int = 1150,
    issued: str = "20260704",
    point: str = POINT,
    estimated: bool = False,
) -> list[str]:
    """An 867_03 of one meter with the multiplier 10."""
    quality = "KA" if estimated else "QD"
    days = [f"DTM*150*{period[0]:%Y%m%d}", f"DTM*151*{period[1]:%Y%m%d}"]
    read = kwh // 10
    return [
        "ST*867*{control}",
        f"BPT*{purpose}*{name}*{issued}*DD*****{of}".rstrip("*"),
        f"REF*Q5**{point}",
        *(["REF*5I*NO ACCESS"] if estimated else []),
        "N1*8S*WIRES CO*1*900000026",
        "N1*AY*ERCOT*1*183529049**41",
        "N1*SJ*RETAIL CO*9*8290000010000**40",
        "PTD*SU",
        *days,
        f"QTY*{quality}*{kwh}",
        f"MEA*AA*PRQ*{kwh}*KH***51",
        "PTD*PL***MG*A1234",
        *days,
        "REF*MT*KHMON",
        "REF*JH*A",
        f"QTY*{quality}*{kwh}",
        f"MEA*AA*PRQ*{kwh}*KH*10000*{10000 + read}*51",
        "MEA**MU*10",
    ]


def charges_set(
    name: str,
    purpose: str = "00",
    of: str = "",
    names: str = "",
    period: Period = JUNE,
    cents: int = 4321,
    issued: str = "20260705",
    point: str = POINT,
    total: int | None = None,
) -> list[str]:
    """An 810_02 with two charges. `total`: another than their sum."""
    return [
        "ST*810*{control}",
        f"BIG*{issued}*{name}***{names}**ME*{purpose}",
        f"REF*Q5**{point}",
        *([f"REF*OI*{of}"] if of else []),
        "N1*8S*WIRES CO*1*900000026",
        "N1*SJ*RETAIL CO*9*8290000010000",
        "ITD*01*3****20260725",
        "IT1*1*****SV*ELECTRIC*C3*METER",
        f"DTM*150*{period[0]:%Y%m%d}",
        f"DTM*151*{period[1]:%Y%m%d}",
        "SLN*1**A",
        "SAC*C**EU*BAS001*450",
        "SLN*2**A",
        f"SAC*C**EU*DIS001*{cents - 450}",
        f"TDS*{cents if total is None else total}",
        "CTT*1",
    ]


def interchange(sets: Iterable[list[str]], number: int = 4711) -> bytes:
    """An interchange with a group for each set, numbered through."""
    segments = [
        f"ISA*00*          *00*          *01*900000026      *01*829000001      *260706*0732*U*00401*{number:09}*0*P*>"
    ]
    count = 0
    for count, one in enumerate(sets, 1):
        control = f"{count:04}"
        kind = "PT" if "*867*" in one[0] else "IN"
        segments.append(f"GS*{kind}*900000026*8290000010000*20260706*0732*{number + count}*X*004010")
        segments += [segment.replace("{control}", control) for segment in one]
        segments += [f"SE*{len(one) + 1}*{control}", f"GE*1*{number + count}"]
    segments.append(f"IEA*{count}*{number:09}")
    return "".join(f"{segment}~\n" for segment in segments).encode()
