"""What every test may ask for: databases on one real PostgreSQL, a NetSuite sandbox, a whole system."""

pytest_plugins = ["proving.world.databases", "proving.world.fixtures"]
