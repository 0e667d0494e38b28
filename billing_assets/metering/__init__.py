"""From the meter to consumption that may be billed: market messages and meter data, checked, kept raw, versioned."""
