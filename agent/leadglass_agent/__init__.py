"""The endpoint agent: tells the gateway how this machine is, and carries viewers to it. Imports nothing of leadglass."""

__version__ = "0.1.0"
