# METADATA
# title: Fresh sign-in
# description: >-
#   Persons do what the table step_up lists only if they signed in with a second factor a moment ago; what is missing is
#   asked for (RFC 9470). Services are not asked. Code: fresh-sign-in-required.
# scope: package
# custom:
#   codes: [fresh-sign-in-required]
#   tables: [step_up, mfa]
package leadglass.rules.identity.step_up

deny contains {
	"code": "fresh-sign-in-required",
	"step_up": {"acr_values": data.tables.mfa.acr_values, "max_age": limit},
} if {
	not input.subject.type == "service"
	not fresh
}

until contains {"in": limit - input.context.auth_age_seconds} if fresh

limit := data.tables.step_up.actions[input.action.name]

fresh if {
	input.subject.mfa == true
	input.context.auth_age_seconds <= limit
}
