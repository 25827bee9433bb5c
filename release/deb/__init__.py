"""Builds the agent's Debian package.

    python -m release.deb [--python 3.11] [--architecture amd64] [--revision 1] [--folder dist]

It holds the agent and the libraries it was tested with, for one Python of one Debian: files in /usr/lib/leadglass-agent, a
program of five lines, the unit, and nothing in /etc: settings stand beside the device's key, in agent.toml. It is made with
dpkg-deb alone, for any architecture on any of them.
"""
