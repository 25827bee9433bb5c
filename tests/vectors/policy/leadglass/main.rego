# METADATA
# title: A policy set for tests
# description: Small, and able to misbehave in every way that the engine must survive; the purpose of use says how.
package leadglass

special := {"call", "conflict", "loop", "memory", "undefined", "verbatim"}

decision := judged if not misbehaving

misbehaving if input.context.purpose in special

decision := input.subject.claims.document if input.context.purpose == "verbatim"

decision := called if input.context.purpose == "call"

decision := {"conflict": conflict} if input.context.purpose == "conflict"

decision := {"loop": count([1 |
	some i in numbers.range(1, 5000)
	some j in numbers.range(1, 5000)
	i * j == input.subject.auth_time
])} if input.context.purpose == "loop"

decision := {"memory": json.marshal([input.subject.claims |
	some _ in numbers.range(1, 100000)
])} if input.context.purpose == "memory"

conflict := x if some x in [1, 2]

judged := {
	"allow": allow,
	"grants": sort(grants),
	"reasons": reasons,
	"rows": rows,
	"visibility": visibility,
	"obligations": [],
	"lease": lease,
	"until_at": null,
	"until_in": until_in,
	"step_up": null,
}

default allow := false

allow if {
	count(grants) > 0
	count(reasons) == 0
	row_fit
}

row_fit if input.action.name == "search"

row_fit if count(rows) == 0

grants contains grant.code if some grant in data.leadglass.rules[_][_].grant

denials contains denial if some denial in data.leadglass.rules[_][_].deny

reasons := sort([{"code": denial.code, "params": denial.params} |
	some denial in (denials | ungranted)
	not "row" in object.keys(denial)
])

default ungranted := set()

ungranted := {{"code": "not-granted", "params": {}}} if count(grants) == 0

rows := sort([denial | some denial in denials; "row" in object.keys(denial)])

default lease := null

lease := {"seconds": data.tables.roles.lease_seconds, "scope": data.tables.roles.lease_scope} if {
	allow
	data.tables.roles.lease_seconds > 0
}

default until_in := null

until_in := 120 - input.device.posture_age_seconds if input.device.posture_age_seconds <= 120

called := crypto.sha256(args[0]) if name == "crypto.sha256"

called := net.cidr_is_valid(args[0]) if name == "net.cidr_is_valid"

called := semver.compare(args[0], args[1]) if name == "semver.compare"

called := semver.is_valid(args[0]) if name == "semver.is_valid"

called := sprintf(args[0], args[1]) if name == "sprintf"

called := sprintf(args[0], [{x | some x in args[1]}]) if name == "sprintf-set"

called := strings.any_prefix_match(args[0], args[1]) if name == "strings.any_prefix_match"

called := strings.any_suffix_match(args[0], {x | some x in args[1]}) if name == "strings.any_suffix_match"

called := strings.count(args[0], args[1]) if name == "strings.count"

called := time.clock(args[0]) if name == "time.clock"

called := time.date(args[0]) if name == "time.date"

called := time.parse_rfc3339_ns(args[0]) if name == "time.parse_rfc3339_ns"

called := time.weekday(args[0]) if name == "time.weekday"

name := input.subject.claims.name

args := input.subject.claims.args

visibility := {format_int(row.row, 10): "listed" |
	some row in rows
	"lister" in input.subject.roles
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
