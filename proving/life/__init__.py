"""A model of the life of a document: a Hypothesis state machine over the real staging, lock and posting code."""
