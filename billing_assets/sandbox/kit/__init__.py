"""What every sandbox is built from: process, server, control API, switches, faults, credentials. See README.md.

It knows no outside system and imports nothing of the pipeline.
"""
