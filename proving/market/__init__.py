"""Campaigns of the area metering: files taken in while processes and machines die, compared with a run in peace."""
