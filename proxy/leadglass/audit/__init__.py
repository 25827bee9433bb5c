"""The record: a decision line before the first byte leaves, a completion when the exchange ends, one hash chain."""
