# METADATA
# title: Posture required
# description: >-
#   The device passes every check that the table posture requires of everyone and of the roles acted in, and what others
#   report of it. A check that is absent or unknown is not passed. Code: posture-failed.
# scope: package
# custom:
#   codes: [posture-failed]
#   tables: [posture]
package leadglass.rules.device.posture_required

import data.leadglass.lib

deny contains {"code": "posture-failed", "params": {
	"check": check,
	"status": object.get(input.device, ["checks", check, "status"], "absent"),
	"found": found(check),
	"remediation": object.get(data.tables.posture.remediation, check, "Ask the administrator what to do."),
}} if {
	not lib.viewer_file
	input.device.id
	not lib.emergency
	some check in required
	not input.device.checks[check].status == "pass"
}

required contains check if some check in data.tables.posture.required

required contains check if {
	some role in lib.acting
	some check in data.tables.posture.roles[role].required
}

# What others report of the device must be good, too. Where nobody reports there is no such check.
required contains "compliance" if input.device.checks.compliance

# What the device itself said of it: shown to its user, never trusted, and cut to a sentence's length.
found(check) := substring(reason, 0, 200) if {
	reason := input.device.checks[check].reason
	is_string(reason)
} else := ""
