"""Control of billing as a whole: where every kWh is, and the report of each day."""
