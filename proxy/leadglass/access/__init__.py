"""The pipeline: the order of stages, and what runs in them (design: life of one request)."""
