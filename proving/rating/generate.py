"""Random cases in the format, from a seed: valid ones of every kind, and a share that the engine must refuse.

What specification and format leave open is left out on purpose.
"""

from proving.rating import faults, random_charges
from proving.rating.bill import Json
from proving.rating.maker import Maker
from proving.rating.random_energy import energy


def case(seed: int, n: int) -> Json:
    """The n-th case of a seed."""
    m = Maker(seed, n)
    r = m.r
    energy(m)
    random_charges.fixed(m)
    index = m.charges[0]["kind"] == "index"
    if m.by_interval and r.random() < 0.35 and not m.charges[0].get("gap_tolerance"):
        random_charges.demand(m)
    random_charges.others(m)
    if r.random() < 0.75:
        random_charges.taxes(m)
    inside = m.context.pop("_inside", False)
    if r.random() < 0.2:
        m.context["earlier_totals"] = [m.amount(9000) for _ in range(3)]
        m.context["implausible_factor"] = "3"
    tariff: Json = {
        "code": f"t{n}",
        "currency": r.choice(("AUD", "AUD", "USD", "EUR", "EUR", "USD", "JPY")),
        "charges": m.charges,
    }
    if inside:
        tariff["prices_include_tax"] = True
    made = {"tariff": tariff, "usage": m.usage, "period": m.dates, "context": m.context}
    if (r.random() < 0.18 and not index) or (index and r.random() < 0.3):
        for _ in range(8):
            if faults.put_in(m, made):
                break
    return made
