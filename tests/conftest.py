"""Fixtures that every folder of tests may ask for."""

pytest_plugins = ("support.orthanc", "support.keycloak", "support.release")
