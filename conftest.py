"""What every test of this repository may ask for: databases on one real PostgreSQL."""

pytest_plugins = ["proving.world.databases"]
