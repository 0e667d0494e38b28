"""A local server that imitates NetSuite's REST, for development and tests. See README.md in this folder.

It is built from NetSuite's documented behaviour, not from our client, and imports nothing of the pipeline.
"""
