"""Test data, made and kept."""
