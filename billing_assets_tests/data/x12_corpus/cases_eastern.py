"""300-349: spec §5.2, eastern 867MU and 867IU, and New York."""

from __future__ import annotations

from typing import Any

from billing_assets_tests.data.x12_corpus.expecting import case, merged
from billing_assets_tests.data.x12_corpus.x12_text import TDSP, Set, intervals, loop, pt, quantity, seg, summary

ACCOUNT = "0900000042"


def eastern(
    *loops: list[str],
    uid: str = "M55001",
    purpose: str = "00",
    refers: str = "",
    final: str = "",
    due: str = "20260708",
    report: str = "DD",
) -> Set:
    body = [
        seg("BPT", purpose, uid, "20260704", report, "", "", final, "", refers),
        *([f"DTM*649*{due}"] if due else []),
        "MEA*NP*PRQ*100*P1",
        f"N1*8S*WIRES EAST*1*{TDSP}",
        "N1*SJ*RETAIL CO*9*829000001",
        "N1*8R*A CUSTOMER",
        "REF*11*5500042",
        f"REF*12*{ACCOUNT}",
        "REF*45*0811111111",
        "REF*BLT*LDC",
        "REF*PC*DUAL",
        *(line for one in loops for line in one),
    ]
    return Set("867", body)


def detail(
    value: str, reads: tuple[str, str], multiplier: str = "", unit: str = "KH", serial: str = "E77"
) -> list[str]:
    return loop("PM", quantity(value, unit, reads=reads, multiplier=multiplier), serial=serial)


def e(**changes: Any) -> dict[str, Any]:
    keys = {
        "point": ACCOUNT,
        "id": "M55001",
        "purpose": "00",
        "start": "2026-06-03",
        "end": "2026-07-02",
        "final": False,
    }
    return merged(
        {"type": "867", "control": "0001", "verdict": "accept", "codes": [], "keys": keys, "quantities": {"KH": "640"}},
        changes,
    )


def add() -> None:
    row = "§5.2: "
    su, pm = summary("640"), detail("640", ("01200", "01840"))
    case(
        300,
        "eastern-monthly",
        row
        + "SU is the metered summary, PM the metered detail and no interval loop; the account of REF*12 is the key.",
        pt(eastern(su, pm)),
        sets=[e()],
    )
    case(
        301,
        "eastern-multiplier",
        row + "MEA**MU*2; 320 x 2 = 640.",
        pt(eastern(su, detail("640", ("01200", "01520"), "2"))),
        sets=[e()],
    )
    billed = loop("BB", quantity("640"), quantity("4.2", "K1"))
    case(
        302,
        "eastern-billed-summary",
        row + "BB, SU and PM of one use count once.",
        pt(eastern(billed, su, pm)),
        sets=[e()],
    )
    both = loop("SU", quantity("640"), quantity("4.2", "K1"))
    case(
        303,
        "eastern-two-meters-and-demand",
        row + "PM is one per meter and unit, SU is over all meters.",
        pt(
            eastern(
                both,
                detail("400", ("00100", "00500")),
                detail("240", ("00010", "00250"), serial="E78"),
                loop("PM", quantity("4.2", "K1"), serial="E77"),
            )
        ),
        sets=[e(quantities={"K1": "4.2"})],
    )
    case(
        304,
        "eastern-unmetered-without-summary",
        row + "BC without SU is taken as the summary.",
        pt(eastern(loop("BC", quantity("88")))),
        sets=[e(quantities={"KH": "88"})],
    )
    plain = loop("BC", quantity("88", tou=""))
    case(
        305,
        "new-york-unmetered",
        row + "New York: MEA07 is not used when PTD01 is BC.",
        pt(eastern(plain)),
        sets=[e(quantities={"KH": "88"})],
    )
    case(
        306,
        "eastern-final",
        row + "BPT07 F: the account finals or switches.",
        pt(eastern(su, pm, final="F")),
        sets=[e(keys={"final": True})],
    )
    case(
        307,
        "eastern-cancel-without-due-date",
        row + "DTM 649 is never on a cancel.",
        pt(eastern(su, pm, uid="M55002", purpose="01", refers="M55001", due="")),
        sets=[e(keys={"id": "M55002", "purpose": "01", "refers_to": "M55001"}, quantities=None)],
    )
    case(
        308,
        "eastern-without-due-date",
        row + "DTM 649 is only for bill-ready.",
        pt(eastern(su, pm, due="")),
        sets=[e()],
    )
    factor = loop("SU", quantity("640"), ["MEA**ZA*0.92"])
    case(309, "eastern-power-factor", row + "ZA is the power factor.", pt(eastern(factor, pm)), sets=[e()])
    case(
        310,
        "eastern-sum-off",
        row + "PM 700 against SU 640; form good, content held.",
        pt(eastern(su, detail("700", ("01200", "01900")))),
        sets=[e(verdict="hold", codes=None)],
    )
    day: dict[str, Any] = {"start": "20260603", "end": "20260604"}
    dates = {"start": "2026-06-03", "end": "2026-06-04"}
    su = summary("960", **day)
    rows = intervals(["10"] * 96, zone="America/New_York", qualifier="582")
    case(
        320,
        "eastern-interval-day",
        row + "BQ is the account's interval detail; DTM 582 is the interval end, here with ED.",
        pt(eastern(su, loop("BQ", rows, **day))),
        sets=[e(keys=dates, quantities={"KH": "960"})],
    )
    case(
        321,
        "eastern-interval-missing",
        row + "90 of 96 quarter hours.",
        pt(eastern(su, loop("BQ", rows[:180], **day))),
        sets=[e(keys=dates, quantities={"KH": "960"}, verdict="hold", codes=None)],
    )
    winter = intervals(["10"] * 96, first="20260115", zone="America/New_York", qualifier="582", code="ES")
    january: dict[str, Any] = {"start": "20260115", "end": "20260116"}
    case(
        322,
        "eastern-interval-standard-time",
        row + "DTM*582 with ES in winter.",
        pt(eastern(summary("960", **january), loop("BQ", winter, **january))),
        sets=[e(keys={"start": "2026-01-15", "end": "2026-01-16"}, quantities={"KH": "960"})],
    )
    hundred = intervals(["10"] * 100, first="20261101", zone="America/New_York", qualifier="582")
    november: dict[str, Any] = {"start": "20261101", "end": "20261102"}
    case(
        323,
        "eastern-interval-day-100",
        row + "ED and ES tell the halves of the doubled hour apart.",
        pt(eastern(summary("1000", **november), loop("BQ", hundred, **november))),
        sets=[e(keys={"start": "2026-11-01", "end": "2026-11-02"}, quantities={"KH": "1000"})],
    )
    twice = [*rows[:-1], rows[-3]]
    case(
        324,
        "eastern-interval-twice",
        "§5.1 rules: one interval end twice, even when count and sum fit.",
        pt(eastern(su, loop("BQ", twice, **day))),
        sets=[e(keys=dates, quantities={"KH": "960"}, verdict="hold", codes=None, codes_include=["REPEATED_INTERVAL"])],
    )
    summary_only = loop("SU", quantity("960"), quantity("410", "K3"))
    case(
        325,
        "eastern-two-units",
        row + "one summary for each unit, kWh and kVArh, beside the details.",
        pt(eastern(summary_only, detail("960", ("01000", "01960")), detail("410", ("00000", "00410"), unit="K3"))),
        sets=[e(quantities={"KH": "960", "K3": "410"})],
    )
