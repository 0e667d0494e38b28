"""The sample billing system: real invoices (UCI Online Retail II) in a reference billing schema of our own."""
