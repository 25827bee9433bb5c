# METADATA
# title: Posture fresh
# description: >-
#   The device's last report is not older than the table posture allows to the roles acted in. The answer holds until
#   the report grows too old. Codes: posture-missing, posture-stale.
# scope: package
# custom:
#   codes: [posture-missing, posture-stale]
#   tables: [posture]
package leadglass.rules.device.posture_fresh

import data.leadglass.lib

deny contains {"code": "posture-missing"} if {
	not lib.viewer_file
	input.device.id
	not reported
	not lib.emergency
}

reported if is_number(input.device.posture_age_seconds)

deny contains {"code": "posture-stale", "params": {"max_age_seconds": format_int(limit, 10)}} if {
	not lib.viewer_file
	input.device.posture_age_seconds > limit
	not lib.emergency
}

until contains {"in": limit - input.device.posture_age_seconds} if {
	input.device.posture_age_seconds <= limit
}

limit := min({data.tables.posture.max_age_seconds} | {age |
	some role in lib.acting
	age := data.tables.posture.roles[role].max_age_seconds
})
