"""What must always hold of invoices, and campaigns that see whether it does: kills, workers, lives of invoices."""
