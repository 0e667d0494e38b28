"""The code lists of ESPI that a reader needs: units, qualities, currencies.

Source: NAESB ESPI 4.0, espi.xsd.
"""

UNITS = {
    5: "A",
    29: "V",
    31: "J",
    38: "W",
    42: "m³",
    61: "VA",
    63: "VAr",
    71: "VAh",
    72: "Wh",
    73: "VArh",
    80: "money",
    119: "ft³",
    128: "US gal",
    130: "imperial gal",
    132: "BTU",
    134: "litre",
    169: "therm",
}
"""By `uom`. 0 says that there is none."""

POWERS_OF_TEN = frozenset({-12, -9, -6, -3, -2, -1, 0, 1, 2, 3, 6, 9, 12})

QUALITIES = {
    **dict.fromkeys((0, 17, 18, 19), "A"),
    **dict.fromkeys((7, 11), "F"),
    **dict.fromkeys((8, 9), "E"),
    **dict.fromkeys((10, 12, 14, 15), "N"),
}
"""By `quality`: actual, final, estimated; N is not billed unless a person says so."""

RANKS = "NEFA"
"""From the lowest rank; of several qualities of one row the lowest is taken."""

CURRENCIES = {
    36: "AUD",
    124: "CAD",
    208: "DKK",
    356: "INR",
    392: "JPY",
    484: "MXN",
    554: "NZD",
    578: "NOK",
    702: "SGD",
    752: "SEK",
    756: "CHF",
    826: "GBP",
    840: "USD",
    978: "EUR",
}
"""By `currency`, the number of ISO 4217; another one is kept as its number. 0 says that there is none."""

DELTA = 4
"""`accumulationBehaviour` of what happened in an interval: only this is summed as energy."""

FORWARD, REVERSE = 1, 19
"""`flowDirection` of what is delivered to the customer, and of what is received from him."""
