# METADATA
# title: Outliving the token
# description: For how long a running exchange may outlive its token, by action, as the table outlive says. No codes.
# scope: package
# custom:
#   codes: []
#   tables: [outlive]
package leadglass.rules.egress.outlive

oblige contains {"type": "outlive-token", "seconds": data.tables.outlive.actions[input.action.name]}
