"""What tests, campaigns and benchmarks run on: databases, a billing system, a NetSuite sandbox, a whole system."""
