# METADATA
# title: What several rules need
# description: Who acts, and what counts as reading. Uses the tables purpose, research, roles and writes.
# scope: package
package leadglass.lib

# METADATA
# description: >-
#   The roles the subject acts in now: roles of the token whose purpose of use, where the table purpose binds them to
#   one, is the declared one. What a role grants, and what it demands, counts for these alone.
# scope: rule
acting contains role if {
	some role in input.subject.roles
	not bound_elsewhere(role)
}

# METADATA
# description: Whether the role is bound to purposes of use, none of which is declared.
# scope: document
bound_elsewhere(role) if {
	purposes := data.tables.purpose.roles[role]
	not declared(purposes)
}

declared(purposes) if input.context.purpose in purposes

# METADATA
# description: Pairs of role and entry of the role table, for the roles acted in, that cover this action and transaction in this archive.
# scope: rule
entries contains [role, entry] if {
	some role in acting
	some entry in data.tables.roles.roles[role].allow
	input.action.name in entry.actions
	covers(entry)
}

# Everyone who has signed in, whatever their roles. Services have roles or nothing.
entries contains ["everyone", entry] if {
	input.subject.type == "person"
	some entry in data.tables.roles.everyone.allow
	input.action.name in entry.actions
	covers(entry)
}

covers(entry) if {
	reaches(entry)
	some pattern in object.get(entry, "transactions", data.tables.roles.transactions)
	matches(pattern)
}

# METADATA
# description: Whether an entry is for the archive that is asked. One that names no archives is for all of them.
# scope: document
reaches(entry) if not entry.upstreams

reaches(entry) if input.resource.upstream in entry.upstreams

matches(pattern) if pattern == input.action.transaction

matches(pattern) if {
	endswith(pattern, ".*")
	startswith(input.action.transaction, trim_suffix(pattern, "*"))
}

# METADATA
# description: >-
#   The entries that give the right to read what is asked for. Who stores a derived object needs an entry for retrieve.
# scope: rule
reading contains entry if {
	input.action.name != "store"
	some [_, entry] in entries
}

reading contains entry if {
	input.action.name == "store"
	some role in acting
	some entry in data.tables.roles.roles[role].allow
	"retrieve" in entry.actions
	reaches(entry)
}

# METADATA
# description: Whether the subject writes images; such a store needs no right to read.
# scope: rule
default writes_images := false

writes_images if {
	some role in acting
	role in data.tables.writes.images.roles
}

# METADATA
# description: >-
#   Whether facts about the studies limit this action. All do but a store by those who write images; a store of
#   derived objects by others needs the right to read the study.
# scope: rule
default reads := true

reads := false if {
	input.action.name == "store"
	writes_images
}

# METADATA
# description: >-
#   Whether it is a file of a viewer that is asked for. Such files hold nothing about patients, and they show people what
#   they are refused and how to mend it: they need no device, no posture and no purpose.
# scope: rule
default viewer_file := false

viewer_file if input.action.transaction == "static.file"

# METADATA
# description: >-
#   Whether somebody may break the glass, fresh sign-in or not: says why, acts under ETREAT, only reads, and has a role
#   that the table break_glass lists.
# scope: document
may_break_glass if {
	data.tables.break_glass.enabled
	input.subject.type == "person"
	input.action.name in {"search", "retrieve", "render"}
	is_string(input.context.break_glass.reason)
	input.context.purpose == "ETREAT"
	some role in acting
	role in data.tables.break_glass.roles
}

# METADATA
# description: Whether the glass is broken now. A sign-in whose age is not told is not fresh.
# scope: document
breaks_glass if {
	may_break_glass
	input.subject.mfa == true
	input.context.auth_age_seconds <= data.tables.break_glass.max_age_seconds
}

# METADATA
# description: >-
#   Whether the person came in by a sealed emergency code. No token can say so: the gateway alone gives this issuer.
# scope: document
by_code if input.subject.issuer == "urn:leadglass:emergency"

# METADATA
# description: >-
#   Whether an emergency code opens this: a person who said why, under ETREAT, reads by a transaction that the table
#   emergency lists. Rules that ask for what an emergency lacks (a second factor, a device) make way for exactly this.
# scope: document
emergency if {
	by_code
	data.tables.emergency.enabled
	input.subject.type == "person"
	input.action.name in {"search", "retrieve", "render"}
	input.context.purpose == "ETREAT"
	is_string(input.context.break_glass.reason)
	emergency_covers
}

emergency_covers if {
	some pattern in data.tables.emergency.transactions
	matches(pattern)
}

emergency_covers if viewer_file

# METADATA
# description: Rules about studies that are set aside while the glass is broken, or by an emergency code.
# scope: rule
overridden contains rule if {
	breaks_glass
	some rule in data.tables.break_glass.overrides
}

overridden contains rule if {
	emergency
	some rule in data.tables.emergency.overrides
}

# METADATA
# description: When the glass is whole again.
# scope: rule
glass_ends contains {"in": data.tables.break_glass.max_age_seconds - input.context.auth_age_seconds} if breaks_glass

missing contains path if some path in input.missing

# METADATA
# description: Whether a fact of study i is listed as missing, alone or with the whole study.
# scope: document
lacks(i, fact) if {
	count(missing) > 0
	missing[concat("", ["studies[", format_int(i, 10), "].", fact])]
}

lacks(i, _) if {
	count(missing) > 0
	missing[concat("", ["studies[", format_int(i, 10), "]"])]
}

# METADATA
# description: >-
#   The projects of the table research that the subject works in now: what they see is those projects' pseudonymous view
#   (egress/research), and what may be matched and retrieved in it is for the view to say.
# scope: document
projects[name] := project if {
	not viewer_file
	input.context.purpose in data.tables.research.purposes
	some name, project in data.tables.research.projects
	some role in project.roles
	role in acting
}

# METADATA
# description: How a denied study is shown to a subject who acts in one of these roles.
# scope: document
visibility(roles) := "listed" if {
	some role in roles
	role in acting
} else := "hidden"
