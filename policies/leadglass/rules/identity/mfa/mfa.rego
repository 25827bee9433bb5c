# METADATA
# title: MFA required
# description: >-
#   Persons must have signed in with more than one factor; services are not asked. What is missing is asked for
#   (RFC 9470). Code: mfa-required.
# scope: package
# custom:
#   codes: [mfa-required]
#   tables: [mfa]
package leadglass.rules.identity.mfa

import data.leadglass.lib

deny contains {
	"code": "mfa-required",
	"step_up": {"acr_values": data.tables.mfa.acr_values, "max_age": null},
} if {
	not input.subject.type == "service"
	not lib.emergency
	not input.subject.mfa == true
}
