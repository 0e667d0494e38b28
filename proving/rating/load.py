"""What is found when a tariff is loaded."""

from datetime import date, timedelta
from itertools import pairwise

from proving.rating import clock
from proving.rating.bill import Bill, Json, span, versions
from proving.rating.money import number


def check(bill: Bill) -> None:
    for charge in bill.charges:
        for earlier, later in pairwise(versions(charge)):
            if span(earlier)[1] > span(later)[0]:
                bill.found("TARIFF_OVERLAP")
            elif span(earlier)[1] < span(later)[0]:
                bill.found("TARIFF_GAP")
        for version in charge["versions"]:
            for node in version.get("seasons") or [version]:
                _blocks(bill, node)
                _week(bill, charge, version, node)
            _year(bill, version)


def _blocks(bill: Bill, node: Json) -> None:
    for holder in (node, *node.get("windows", [])):
        blocks = holder.get("blocks", [])
        limits = [number(block["up_to"]) for block in blocks if block.get("up_to") is not None]
        if len(limits) < len(blocks) - 1 or any(a >= b for a, b in pairwise(limits)):
            bill.found("BLOCKS_ORDER")


def _week(bill: Bill, charge: Json, version: Json, node: Json) -> None:
    windows = node.get("windows", [])
    if not windows and charge["kind"] != "tou":
        return
    types = list(clock.WEEK) + (["holiday"] if clock.names_holiday(version) else [])
    for day_type in types:
        for held in clock.window_table(windows, day_type):
            if len(held) > 1:
                bill.found("TOU_OVERLAP")
            elif not held and charge["kind"] != "demand":
                bill.found("TOU_GAP")


def _year(bill: Bill, version: Json) -> None:
    seasons = version.get("seasons", [])
    for n in range(366 if seasons else 0):
        if sum(clock.in_season(season, date(2024, 1, 1) + timedelta(days=n)) for season in seasons) != 1:
            bill.found("SEASON_COVER")


def coverage(bill: Bill) -> None:
    """Each day of the period has a version of each charge, before anything is priced."""
    for charge in bill.charges:
        covered = sum(any(span(v)[0] <= when < span(v)[1] for v in charge["versions"]) for when in bill.days)
        if not covered:
            bill.found("RATE_NONE")
        elif covered < len(bill.days):
            bill.found("RATE_PARTIAL")
