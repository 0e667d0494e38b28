"""Months side by side, as a picture for the web UI: what was posted and held back, and how long it took."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import orjson
import typst

from billing_assets.erp.close.lettering import FONTS, LONGEST_CURRENCY, names
from billing_assets.erp.close.store import MonthFigures
from billing_assets.foundation.phrases import DAY, duration

_TEMPLATE = Path(__file__).with_name("trend.typ")


def trend_picture(months: Sequence[MonthFigures], days_it_used_to_take: float, fonts: typst.Fonts = FONTS) -> bytes:
    """A PNG of some months of one currency, the oldest first."""
    widest = max((_upright(one.total_posted) + _upright(one.total_held) for one in months), default=Decimal(0))
    longest = max(days_it_used_to_take, *(one.days_to_post_median or 0.0 for one in months))
    currency = months[-1].currency
    content = {
        "currency": names([currency], LONGEST_CURRENCY, fonts)[currency],
        "before": duration(days_it_used_to_take * DAY),
        "before_share": days_it_used_to_take / longest,
        "months": [
            {
                "month": one.period,
                "posted": f"{one.total_posted:,.0f}",
                "posted_share": float(_upright(one.total_posted) / (widest or 1)),
                "held_share": float(_upright(one.total_held) / (widest or 1)),
                "days": "" if one.days_to_post_median is None else duration(one.days_to_post_median * DAY),
                "days_share": min(1.0, (one.days_to_post_median or 0.0) / longest),
            }
            for one in months
        ],
    }
    made: bytes = typst.compile(
        _TEMPLATE.read_bytes(),
        format="png",
        ppi=110.0,
        sys_inputs={"content": orjson.dumps(content).decode()},
        font_paths=fonts,
    )
    return made


def _upright(total: Decimal) -> Decimal:
    return max(total, Decimal(0))  # a month of nothing but credit has no bar
