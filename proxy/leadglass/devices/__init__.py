"""Devices: how they become known, what certificate they show, and what they say about themselves.

Nothing here judges a posture. It is verified and stored with its age, and policy decides.
"""
