"""Bills rated again when newer prices or profiles come."""
