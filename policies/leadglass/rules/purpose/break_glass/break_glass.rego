# METADATA
# title: Breaking the glass
# description: >-
#   Who says why (Leadglass-Break-Glass) under the purpose ETREAT, in a role that may, and has signed in a moment ago with a
#   second factor, reads what oncology and treating would hide. Whoever else says so is refused. Uses the table break_glass.
# scope: package
# custom:
#   codes: [break-glass-refused, break-glass-sign-in]
#   tables: [break_glass, mfa]
package leadglass.rules.purpose.break_glass

import data.leadglass.lib

deny contains {"code": "break-glass-refused"} if {
	declared
	not lib.may_break_glass
	not lib.by_code
}

deny contains {
	"code": "break-glass-sign-in",
	"step_up": {"acr_values": data.tables.mfa.acr_values, "max_age": data.tables.break_glass.max_age_seconds},
} if {
	lib.may_break_glass
	not lib.breaks_glass
}

oblige contains {"type": "log"} if lib.breaks_glass

until contains end if some end in lib.glass_ends

declared if not input.context.break_glass == null
