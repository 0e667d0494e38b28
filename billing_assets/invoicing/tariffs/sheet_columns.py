"""The columns of a tariff in a spreadsheet: the one table that writing, reading and the help in the file follow.

A column belongs to one level. What is said of a charge or a version is said in any of its rows, at least one; rows that
are empty there say the same. What tells rows apart (`is_key`) is in each of them.
"""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """What a column is about."""

    TARIFF = "tariff"
    CHARGE = "charge"
    VERSION = "version"
    SEASON = "season"
    WINDOW = "window"
    BLOCK = "block"
    ROW = "row"
    CODE = "code"


class Form(StrEnum):
    """What may be in a cell."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "yes or no"
    LIST = "list"
    DAYS = "days"
    DATE = "date"
    MONTH_DAY = "month and day"
    TIME = "time"


class Column(NamedTuple):
    """A column: `path` is where its value is in the JSON of its level."""

    title: str
    level: Level
    path: tuple[str, ...]
    form: Form
    says: str
    is_key: bool = False


_T, _C, _V = Level.TARIFF, Level.CHARGE, Level.VERSION


def _column(title: str, level: Level, path: str, says: str, form: Form = Form.TEXT, *, is_key: bool = False) -> Column:
    return Column(title, level, tuple(path.split(".")), form, says, is_key)


COLUMNS = (
    _column("Charge", _C, "code", "Code of the charge; rows with the same one are one charge", is_key=True),
    _column("Kind", _C, "kind", "fixed_daily, fixed_period, usage, tou, demand, index, rate_table, feed_in, …"),
    _column("Bill text", _C, "bill_text", "What the customer reads"),
    _column("Valid from", _V, "valid_from", "First day of the version", Form.DATE, is_key=True),
    _column("Valid to", _V, "valid_to", "First day after the version; empty: open", Form.DATE, is_key=True),
    _column("Season", Level.SEASON, "name", "Name of the season; empty: all year", is_key=True),
    _column("Season from", Level.SEASON, "from", "First day, such as 11-01", Form.MONTH_DAY, is_key=True),
    _column("Season to", Level.SEASON, "to", "Last day, such as 03-31", Form.MONTH_DAY, is_key=True),
    _column("Window", Level.WINDOW, "name", "Name of the window, such as peak", is_key=True),
    _column("Days", Level.WINDOW, "days", "mon-fri; sat; sun; holiday", Form.DAYS, is_key=True),
    _column("Window from", Level.WINDOW, "from", "Local time, such as 15:00", Form.TIME, is_key=True),
    _column("Window to", Level.WINDOW, "to", "Local time of its end; 24:00: midnight", Form.TIME, is_key=True),
    _column("Up to", Level.BLOCK, "up_to", "Limit of the block, cumulative; empty: the last", Form.NUMBER, is_key=True),
    _column("Price", Level.BLOCK, "price", "Price of one unit, a day or a period", Form.NUMBER),
    _column("Unit", _C, "unit", "Unit that is priced; default kWh, for demand kW"),
    _column("Period", _V, "period", "P1M, P3M, P6M, P1Y: what a fixed price or a minimum is for"),
    _column("Tax category", _C, "tax_category", "A name that taxes refer to"),
    _column("Group", _C, "group", "energy, delivery, fixed, demand, generation, …; default by the kind"),
    _column("Channels", _C, "channels", "Channels of the usage that it prices", Form.LIST),
    _column("Registers", _C, "registers", "Only registers of these names", Form.LIST),
    _column("Window register", Level.WINDOW, "register", "The meter register that holds the window's energy"),
    _column("Time zone", _C, "time_zone", "local or a fixed offset such as UTC+10"),
    _column("Block period", _V, "block_rule.period", "What limits are for: bill, cycle, P1D, P1M, P3M, P1Y, …"),
    _column("Block scale", _V, "block_rule.scale", "by_days or none"),
    _column("Block scope", _V, "block_rule.scope", "window, charge or bill: what fills the blocks"),
    _column("Block evaluate", _V, "block_rule.evaluate", "pooled, each_day or each_month"),
    _column("Block mode", _V, "block_rule.mode", "graduated or volume"),
    _column("Proration", _C, "proration", "none, by_days_of_period, by_calendar_month, thirty, annual_365"),
    _column("Per", _C, "per", "bill, service_point or meter"),
    _column("On change", _C, "on_change", "split, majority or end_minus_one_day"),
    _column("Split by", _C, "split_by", "Profile to split a register's period by"),
    _column("Straddle", _C, "straddle", "refuse or split_evenly"),
    _column("Gap tolerance", _C, "gap_tolerance", "How many missing intervals are accepted", Form.WHOLE),
    _column("Loss", _C, "loss", "yes: quantities times loss factors", Form.FLAG),
    _column("Allow negative", _C, "allow_negative", "yes: usage below zero is priced", Form.FLAG),
    _column("Net", _C, "net", "none, interval, window or period"),
    _column("Net channel", _C, "net_channel", "What is subtracted"),
    _column("Credit price", _V, "credit_price", "Price of a surplus", Form.NUMBER),
    _column("Rounding", _C, "rounding", "half_up or down"),
    _column("Conditional", _C, "conditional", "yes: a discount that is shown, not deducted", Form.FLAG),
    _column("Applies to codes", _C, "applies_to.codes", "Charges that it is computed from", Form.LIST),
    _column("Applies to groups", _C, "applies_to.groups", "Groups that it is computed from", Form.LIST),
    _column("Applies to tax categories", _C, "applies_to.tax_categories", "Tax categories it is for", Form.LIST),
    _column("Applies to taxes", _C, "applies_to.taxes", "Earlier taxes that it is on", Form.LIST),
    _column("Sequence", _C, "sequence", "Order of work", Form.WHOLE),
    _column("Method", _V, "method", "Of a discount, a tax or green power"),
    _column("Percent", _V, "percent", "Of a discount, a fee or green power", Form.NUMBER),
    _column("Amount", _V, "amount", "Of a minimum, a discount or a fee", Form.NUMBER),
    _column("Threshold", _V, "threshold", "Above which percent_over_threshold counts", Form.NUMBER),
    _column("Demand window", _V, "demand_window", "Minutes of a demand block", Form.WHOLE),
    _column("Measure", _V, "measure", "window_max, daily_max_average or top_n_average"),
    _column("N", _V, "n", "Of top_n_average", Form.WHOLE),
    _column("Measurement period", _V, "measurement_period", "day, month, season or bill"),
    _column("Charge period", _V, "charge_period", "day, month, season or bill"),
    _column("Floor", _V, "floor", "Least demand, or least price of an index", Form.NUMBER),
    _column("Contract minimum", _V, "contract_minimum", "Demand that is paid in any case", Form.NUMBER),
    _column("Ratchet percent", _V, "ratchet.percent", "Share of the highest of earlier bills", Form.NUMBER),
    _column("Ratchet periods", _V, "ratchet.periods", "How many earlier bills", Form.WHOLE),
    _column("Power factor", _V, "power_factor", "kVA = kW / power factor", Form.NUMBER),
    _column("Series", _V, "series", "Price series of an index"),
    _column("Adder", _V, "adder", "Added to the price", Form.NUMBER),
    _column("Multiplier", _V, "multiplier", "The price times this", Form.NUMBER),
    _column("Cap", _V, "cap", "Highest price of an index", Form.NUMBER),
    _column("Profile", _V, "profile", "Profile that spreads a register over time"),
    _column("Lookup", _V, "lookup", "end_minus_one_day or prorate_days"),
    _column("Row from", Level.ROW, "from", "First day of a row of a rate table", Form.DATE, is_key=True),
    _column("Row to", Level.ROW, "to", "First day after it", Form.DATE, is_key=True),
    _column("Utility", Level.CODE, "utility", "Whose code is passed through", is_key=True),
    _column("Utility code", Level.CODE, "code", "Its code", is_key=True),
    _column("Utility bill text", Level.CODE, "bill_text", "What the customer reads for it"),
    _column("Utility tax category", Level.CODE, "tax_category", "Its tax category"),
    _column("Tax rate", _V, "rate", "Such as 0.10", Form.NUMBER),
    _column("Jurisdiction", _V, "jurisdiction", "Whose tax it is"),
    _column("Place codes", _V, "place_codes", "Tax codes of places where it applies", Form.LIST),
    _column("Customer classes", _V, "customer_classes", "Classes that it applies to", Form.LIST),
    _column("Date rule", _V, "date_rule", "end or split"),
    _column("Version", _V, "id", "Id of the version; empty: by the order of the dates", is_key=True),
    _column("Source who", _V, "source.who", "Who said so"),
    _column("Source document", _V, "source.document", "Where it says so"),
    _column("Source approved by", _V, "source.approved_by", "Who approved it there"),
    _column("Tariff", _T, "code", "Code of the tariff"),
    _column("Tariff id", _T, "id", "Id; default: the code"),
    _column("Tariff name", _T, "name", "Name of the tariff"),
    _column("Currency", _T, "currency", "ISO 4217"),
    _column("Market", _T, "market", "Market"),
    _column("Commodity", _T, "commodity", "electricity, gas or water"),
    _column("Customer class", _T, "customer_class", "Customer class"),
    _column("Prices include tax", _T, "prices_include_tax", "yes or no", Form.FLAG),
)

ALWAYS = frozenset(COLUMNS[:14]) | {column for column in COLUMNS if column.title in {"Tariff", "Currency"}}
"""Columns that a file has also where the tariff says nothing in them."""

BY_TITLE = {column.title.casefold(): column for column in COLUMNS}
