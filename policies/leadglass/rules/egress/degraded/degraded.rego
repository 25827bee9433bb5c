# METADATA
# title: Degraded
# description: >-
#   While a condition of the gateway's own is not as it should be (context.degraded), what the table degraded lists for it
#   is refused, so that treatment goes on. Code: degraded.
# scope: package
# custom:
#   codes: [degraded]
#   tables: [degraded]
package leadglass.rules.egress.degraded

deny contains {"code": "degraded", "params": {"condition": condition}} if {
	some condition in input.context.degraded
	limits := data.tables.degraded[condition]
	refused(limits)
}

refused(limits) if input.action.name in limits.actions

refused(limits) if input.context.purpose in limits.purposes

refused(limits) if {
	count(limits.only) > 0
	is_string(input.context.purpose)
	not served(limits)
}

refused(limits) if {
	limits.undeclared == "refused"
	not input.context.purpose
}

served(limits) if input.context.purpose in limits.only
