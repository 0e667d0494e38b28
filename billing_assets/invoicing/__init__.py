"""Bills from usage: tariffs, rating to the cent, batches, invoices and their corrections."""
