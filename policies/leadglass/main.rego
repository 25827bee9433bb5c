# METADATA
# title: The decision
# description: >-
#   Composes what the rules under data.leadglass.rules[area][rule] say into one decision document
#   (policies/schemas/decision.json). Default deny. The decision is undefined, which the gateway takes for a
#   refusal, as soon as one rule says something of another shape or a table is not there.
# scope: package
package leadglass

# METADATA
# title: Entry point
# description: The decision document, or undefined when the rules cannot be composed.
# scope: document
# entrypoint: true
decision := {
	"allow": allow,
	"grants": sort([code | some code in granted]),
	"reasons": reasons,
	"rows": rows,
	"visibility": visibility,
	"obligations": sort([obligation | some obligation in obligations]),
	"lease": lease,
	"until_at": until_at,
	"until_in": until_in,
	"step_up": step_up,
} if {
	every table in shipped_tables {
		is_object(data.tables[table])
	}
	every part in parts {
		_ = input[part]
	}
	not malformed
}

# A question that lacks one of these is none: a rule must not mistake it for one with nothing to object to.
parts := {"subject", "action", "resource", "studies", "device", "context", "missing"}

# What every shipped rule reads. A table that is not there must not silence the rule that reads it.
shipped_tables := {
	"break_glass",
	"bulkdata",
	"countries",
	"degraded",
	"devices",
	"emergency",
	"hours",
	"leases",
	"mfa",
	"networks",
	"oncology",
	"outlive",
	"posture",
	"purpose",
	"referring",
	"research",
	"risk",
	"roles",
	"search",
	"step_up",
	"treating",
	"writes",
}

default allow := false

allow if {
	count(granted) > 0
	count(whole) == 0
	rows_allowed
}

# Only a search goes on without the rows that are denied.
rows_allowed if input.action.name == "search"

rows_allowed if count(partial) == 0

# What the rules say, one element for each rule: an array, since a set would hash every row again.
grants := [said | said := data.leadglass.rules[_][_].grant]

denials := [said | said := data.leadglass.rules[_][_].deny]

oblige := [said | said := data.leadglass.rules[_][_].oblige]

until := [said | said := data.leadglass.rules[_][_].until]

leases := [said | said := data.leadglass.rules[_][_].lease]

granted contains grant.code if some grant in grants[_]

obligations contains obligation if some obligation in oblige[_]

# Denials of the whole.
whole contains denial if {
	some denial in denials[_]
	object.get(denial, "row", null) == null
}

# Denials of single studies.
partial := [denial |
	some denial in denials[_]
	denial.row >= 0
]

rows := [row |
	some [_, _, params, denial] in sort([[denial.row, denial.code, object.get(denial, "params", {}), denial] |
		some denial in partial
	])
	row := {"row": denial.row, "code": denial.code, "params": params}
]

# The first reason decides the status of the reply, so what signing in again cannot mend comes before what it can.
reasons := array.concat(array.concat(final, ungranted), mendable) if {
	final := sort([reason |
		some denial in whole
		not denial.step_up
		reason := {"code": denial.code, "params": object.get(denial, "params", {})}
	])
	mendable := sort([reason |
		some denial in whole
		denial.step_up
		reason := {"code": denial.code, "params": object.get(denial, "params", {})}
	])
}

default ungranted := []

ungranted := [{"code": "not-granted", "params": {}}] if count(granted) == 0

# A denied row is listed ("restricted", nothing else) only when every denial of it says so.
visibility := object.union({key: "listed" | some denial in partial; key := format_int(denial.row, 10)}, hidden)

hidden := {key: "hidden" |
	some denial in partial
	object.get(denial, "visibility", "hidden") == "hidden"
	key := format_int(denial.row, 10)
}

default lease := null

# The shortest lease wins, and the narrowest scope. What is refused is not leased.
lease := {"seconds": min(seconds), "scope": scope} if {
	allow
	seconds := {offer.seconds | some offer in leases[_]}
	scope := min({offer.scope | some offer in leases[_]}) # "instance" < "study"
}

default until_at := null

until_at := min(moments) if {
	moments := {end.at | some end in until[_]}
}

default until_in := null

until_in := min(spans) if {
	spans := {end["in"] | some end in until[_]}
}

default step_up := null

# The strongest asked for: the fewest authentication contexts that would do, and the youngest sign-in.
step_up := {"acr_values": fewest[0][1], "max_age": max_age} if {
	asked := [denial.step_up | some denial in whole]
	fewest := sort([[count(wish.acr_values), wish.acr_values] | some wish in asked])
	ages := {wish.max_age | some wish in asked; is_number(wish.max_age)}
	max_age := youngest(ages)
}

youngest(ages) := min(ages) if count(ages) > 0

youngest(ages) := null if count(ages) == 0

# Shapes. Whatever is not exactly as docs/writing-policies.md says makes the decision undefined.
malformed if {
	some kind in [grants, denials, oblige, until, leases]
	some said in kind
	not is_set(said)
}

malformed if {
	some grant in grants[_]
	not grant_ok(grant)
}

malformed if {
	some denial in denials[_]
	not denial_ok(denial)
}

malformed if {
	some obligation in oblige[_]
	not obligation_ok(obligation)
}

malformed if {
	some end in until[_]
	not until_ok(end)
}

malformed if {
	some offer in leases[_]
	not lease_ok(offer)
}

grant_ok(grant) if {
	is_string(grant.code)
	count(grant) == 1
}

denial_ok(denial) if {
	is_string(denial.code)
	count(object.keys(denial) - {"code", "params", "row", "step_up", "visibility"}) == 0
	params_ok(denial)
	reach_ok(denial)
}

params_ok(denial) if count(object.keys(denial) & {"params"}) == 0

params_ok(denial) if {
	is_object(denial.params)
	every value in denial.params {
		is_string(value)
	}
}

# The whole: may ask for a better sign-in. A row: must be one of the studies, and may say how it is shown.
reach_ok(denial) if {
	count(object.keys(denial) - {"code", "params"}) == 0
}

reach_ok(denial) if {
	object.keys(denial) - {"code", "params"} == {"step_up"}
	step_up_ok(denial.step_up)
}

reach_ok(denial) if {
	input.studies[denial.row]
	object.get(denial, "visibility", "hidden") in {"hidden", "listed"}
	count(object.keys(denial) & {"step_up"}) == 0
}

step_up_ok(wish) if {
	object.keys(wish) == {"acr_values", "max_age"}
	is_array(wish.acr_values)
	every value in wish.acr_values {
		is_string(value)
	}
	age_ok(wish.max_age)
}

age_ok(age) if is_null(age)

age_ok(age) if {
	is_number(age)
	age >= 0
}

obligation_ok(obligation) if is_string(obligation.type)

until_ok(end) if {
	some kind in ["at", "in"]
	count(end) == 1
	is_number(end[kind])
	end[kind] >= 0
}

lease_ok(offer) if {
	count(offer) == 2
	is_number(offer.seconds)
	offer.seconds > 0
	offer.scope in {"study", "instance"}
}

# METADATA
# title: What each rule says by itself
# description: "[area/rule, what it says] for `leadglass policy explain`; decides nothing."
# scope: document
explain := {
	"grant": [[area, rule, said] | said := data.leadglass.rules[area][rule].grant; count(said) > 0],
	"deny": [[area, rule, said] | said := data.leadglass.rules[area][rule].deny; count(said) > 0],
	"oblige": [[area, rule, said] | said := data.leadglass.rules[area][rule].oblige; count(said) > 0],
}
