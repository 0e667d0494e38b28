"""Turns tariffs as others publish them into our own JSON: plain data in, plain data out."""
