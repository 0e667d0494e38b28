"""Bills rated again when newer prices, profiles or readings come."""
