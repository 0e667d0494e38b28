"""Faults put into a valid case: each must be found, and no bill made."""

from datetime import timedelta

from proving.rating.bill import Json
from proving.rating.maker import Maker


def put_in(m: Maker, case: Json) -> str | None:
    """One fault of those that a person must see; None where the case has nothing to break in this way."""
    r, charges = m.r, case["tariff"]["charges"]
    energy = charges[0]
    version = energy["versions"][0]
    what = r.choice(
        [
            "overlap",
            "gap",
            "none",
            "partial",
            "order",
            "week",
            "twice",
            "seasons",
            "unit",
            "negative",
            "straddle",
            "missing",
            "register",
            "price",
            "profile",
            "code",
            "total",
            "future",
            "nothing",
            "place",
            "sum",
            "short_price",
        ]
    )
    day = (m.first + timedelta(days=len(m.days) // 2)).isoformat()
    intervals, registers = case["usage"]["intervals"], case["usage"]["registers"]
    windows = next((h["windows"] for v in energy["versions"] for h in v.get("seasons", [v]) if "windows" in h), None)
    general = next((x for x in intervals if x["channel"] == "general"), None)
    if what in ("overlap", "gap"):
        other = (m.first + timedelta(days=len(m.days) // 2 + (-5 if what == "overlap" else 5))).isoformat()
        energy["versions"] = [
            {**version, "valid_from": "2020-01-01", "valid_to": day},
            {**version, "valid_from": other, "valid_to": None},
        ]
    elif what == "none":
        energy["versions"] = [{**version, "valid_from": "2010-01-01", "valid_to": "2011-01-01"}]
    elif what == "partial" and len(m.days) > 1:
        energy["versions"] = [{**version, "valid_from": day, "valid_to": None}]
    elif what == "order" and "blocks" in version and len(version["blocks"]) > 2:
        version["blocks"][1]["up_to"] = version["blocks"][0]["up_to"]
    elif what == "week" and windows:
        windows.pop(r.randrange(len(windows)))
    elif what == "twice" and windows:
        windows.append({**windows[0], "from": "00:00", "to": "24:00"})
    elif what == "seasons" and "seasons" in version:
        version["seasons"][0]["from"] = version["seasons"][1]["from"]
    elif what == "unit" and (general or registers):
        (general or registers[0])["unit"] = "MJ"
    elif what == "negative" and (general or registers):
        if general:
            general["values"][0] = "-0.500"
        else:
            registers[0]["quantity"] = "-12.000"
    elif what == "straddle" and windows and general and m.minutes > 5:
        for window in windows:
            for edge in ("from", "to"):
                if window[edge] not in ("00:00", "24:00"):
                    window[edge] = window[edge][:3] + ("02" if window[edge][3:] == "00" else "32")
        if r.random() < 0.6:
            energy["straddle"] = "split_evenly"
    elif what == "missing" and general:
        for n in r.sample(range(len(general["values"])), min(4, len(general["values"]))):
            general["values"][n] = None
    elif what == "register" and windows and general:
        case["usage"]["intervals"] = []
        case["usage"]["registers"] = [{"channel": "general", "quantity": "100", **m.dates}]
    elif what == "price" and "price_series" in case["context"]:
        case["context"]["price_series"]["RT"]["prices"][0] = None
    elif what == "short_price" and "price_series" in case["context"]:
        case["context"]["price_series"]["RT"]["prices"].pop()
    elif what == "profile" and "profiles" in case["context"]:
        case["context"]["profiles"] = {}
    elif what == "code" and "documents" in case["usage"]:
        case["usage"]["documents"][0]["charges"][0]["code"] = "UNKNOWN"
    elif what == "total" and "documents" in case["usage"]:
        case["usage"]["documents"][0]["total"] = "99999.99"
    elif what == "future":
        case["context"]["as_of"] = r.choice((m.end + timedelta(days=1), m.days[-1])).isoformat()
    elif what == "nothing":
        case["usage"] = {}
    elif what == "place" and "tax_codes" in case["context"]:
        case["context"].pop("tax_codes")
    elif what == "sum" and general and energy["kind"] in ("usage", "tou"):
        registers.append({"channel": "general", "quantity": "0.001", **m.dates})
    else:
        return None
    return what
