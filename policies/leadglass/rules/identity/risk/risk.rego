# METADATA
# title: Risk
# description: >-
#   Nobody whose risk, or that of whose session or device, is reported at a level that the table risk refuses. Where no
#   level is reported there is nothing to refuse. Code: risk-too-high.
# scope: package
# custom:
#   codes: [risk-too-high]
#   tables: [risk]
package leadglass.rules.identity.risk

deny contains {"code": "risk-too-high", "params": {"whose": whose, "level": level}} if {
	some whose, level in input.context.risk
	level in data.tables.risk.refused[whose]
}
