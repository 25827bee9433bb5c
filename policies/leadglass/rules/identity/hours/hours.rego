# METADATA
# title: Working hours
# description: >-
#   A role acted in that the table hours binds to hours and weekdays counts only then. Off as shipped. The answer holds
#   for a minute, since the input knows no minutes. Code: outside-hours.
# scope: package
# custom:
#   codes: [outside-hours]
#   tables: [hours]
package leadglass.rules.identity.hours

import data.leadglass.lib

deny contains {"code": "outside-hours", "params": {"role": role}} if {
	some role, hours in bound
	not within(hours)
}

until contains {"in": 60} if count(bound) > 0

bound[role] := hours if {
	data.tables.hours.enabled
	some role in lib.acting
	hours := data.tables.hours.roles[role]
}

within(hours) if {
	input.context.hour >= hours.from
	input.context.hour < hours.to
	input.context.weekday in hours.weekdays
}

# A night shift belongs to the day on which it began.
within(hours) if {
	hours.from > hours.to
	input.context.hour >= hours.from
	input.context.weekday in hours.weekdays
}

within(hours) if {
	hours.from > hours.to
	input.context.hour < hours.to
	yesterday in hours.weekdays
}

yesterday := ((input.context.weekday + 5) % 7) + 1
