# METADATA
# title: Emergency codes
# description: >-
#   Who came in by a sealed emergency code reads under ETREAT what the table emergency lists, and does nothing else; every
#   such decision is logged. Code: emergency-reads-only.
# scope: package
# custom:
#   codes: [emergency-reads-only]
#   tables: [emergency]
package leadglass.rules.identity.emergency

import data.leadglass.lib

grant contains {"code": "emergency"} if lib.emergency

deny contains {"code": "emergency-reads-only"} if {
	lib.by_code
	not lib.emergency
}

oblige contains {"type": "log"} if {
	lib.emergency
	not lib.viewer_file
}
