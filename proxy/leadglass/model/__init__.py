"""Frozen values, closed enumerations, the error tree and the reasons. Imports nothing of leadglass but `limits`."""
