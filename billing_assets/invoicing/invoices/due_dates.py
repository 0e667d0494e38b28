"""When an invoice is due."""

from datetime import date, timedelta

from billing_assets.foundation.calendar.business_days import business_day_from


def due_on(invoice_date: date, days: int, calendar: str | None) -> date:
    """The due date: so many days later, or the next business day of the calendar (`AU`, `AU-NSW`)."""
    country, _, subdivision = (calendar or "").partition("-")
    return business_day_from(invoice_date + timedelta(days=days), country or None, subdivision or None)
