"""Invoices that were voided after they had been posted: a credit memo is proposed, and a person decides."""
