# METADATA
# title: Device enrolled and owned
# description: >-
#   Every request but for a viewer's files comes from an enrolled device, and from its owner unless the table devices says that it is shared.
#   Codes: device-required, device-not-owned.
# scope: package
# custom:
#   codes: [device-required, device-not-owned]
#   tables: [devices]
package leadglass.rules.device.enrolled

import data.leadglass.lib

deny contains {"code": "device-required"} if {
	not lib.viewer_file
	not enrolled
	not exempt
	not lib.emergency
}

deny contains {"code": "device-not-owned"} if {
	not lib.viewer_file
	enrolled
	not owned
	not shared
	not lib.emergency
}

enrolled if is_string(input.device.id)

# Another issuer's same id is another person.
owned if {
	input.device.owner == input.subject.id
	input.device.owner_issuer == input.subject.issuer
}

shared if {
	some role in data.tables.devices.shared[input.device.id].roles
	role in lib.acting
}

# Machines that cannot run an agent, by role; never a person.
exempt if {
	input.subject.type == "service"
	some role in data.tables.devices.exempt_service_roles
	role in lib.acting
}
