"""The feed-in tariff of a CDR plan that is the customer's: several in one plan are alternatives, not a sum."""

from collections.abc import Sequence

from billing_assets.invoicing.rating.importers.cdr_parts import (
    Part,
    Stepped,
    block_rule,
    dates,
    one_unit,
    stepped,
    time_window,
    with_holidays,
    zone,
)
from billing_assets.invoicing.rating.importers.foreign import Node, distinct


def feed_in(contract: Node, version: Part, scheme: str | None) -> list[Part]:
    """The charge of the feed-in tariff; none where the plan has none. Credits are outside GST.

    Raises ImportRefusedError where the plan has several and `scheme` chooses none or more than one of them.
    """
    chosen = _chosen(contract.get("solarFeedInTariff"), scheme)
    if chosen is None:
        return []
    if chosen.get("tariffUType").one_of({"singleTariff": "single", "timeVaryingTariffs": "timed"}) == "single":
        every: Sequence[Stepped] = [stepped(chosen.get("singleTariff"))]
        parts = every[0].parts
    else:
        every, parts = _timed(chosen.get("timeVaryingTariffs"))
    body = {**version, **dates(chosen), **parts, **block_rule(chosen, every)}
    return [
        {
            "code": "feed_in",
            "kind": "feed_in",
            "bill_text": chosen.get("displayName").text("Feed-in"),
            "tax_category": "outside GST",
            "channels": ["feed_in"],
            "unit": one_unit(chosen, every),
            "time_zone": zone(contract.get("timeZone")),
            "versions": [body],
        }
    ]


def _chosen(tariffs: Node, scheme: str | None) -> Node | None:
    every = list(tariffs.items())
    if not every:
        return None
    matching = [one for one in every if scheme is None or scheme.casefold() in _names(one)]
    if len(matching) == 1:
        return matching[0]
    offered = "; ".join(
        f"{one.get('displayName').text('?')} ({one.get('scheme').text('OTHER')}, {one.get('payerType').text('?')})"
        for one in every
    )
    asked = "which of them is the customer's must be said" if scheme is None else f"{scheme!r} does not choose one"
    return tariffs.refuse(f"feed-in tariffs are alternatives, and {asked}, by name, scheme or payer: {offered}.")


def _names(tariff: Node) -> set[str]:
    return {tariff.get(name).text("").casefold() for name in ("displayName", "scheme", "payerType")} - {""}


def _timed(tariffs: Node) -> tuple[Sequence[Stepped], Part]:
    """Windows of all its tariffs; the first versions of the standard have one without a list."""
    nodes = [tariffs] if isinstance(tariffs.value, dict) else list(tariffs.items())
    names = distinct([one.get("displayName").text(one.get("type").text("Anytime").capitalize()) for one in nodes])
    every, windows = [], []
    for name, node in zip(names, nodes, strict=True):
        found = stepped(node)
        every.append(found)
        windows += [time_window(name, one, found.parts) for one in node.get("timeVariations").items()]
    if not windows:
        tariffs.refuse("it has no hours.")
    return every, {"windows": with_holidays(windows, windows)}
