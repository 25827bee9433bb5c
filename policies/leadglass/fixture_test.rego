# METADATA
# description: A rule for tests that says whatever a test puts into data.fixture, in any shape.
# scope: package
package leadglass.rules.fixture.said

grant := data.fixture.grant

deny := data.fixture.deny

oblige := data.fixture.oblige

until := data.fixture.until

lease := data.fixture.lease
