# METADATA
# title: Leases
# description: For how long an answer may be used again, by action, as the table leases says. No codes.
# scope: package
# custom:
#   codes: []
#   tables: [leases]
package leadglass.rules.egress.leases

lease contains data.tables.leases[input.action.name]
