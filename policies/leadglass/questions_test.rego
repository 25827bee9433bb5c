# METADATA
# description: The question and the tables that the tests of all rules vary. Never compiled into the policy.
# scope: package
package leadglass.questions_test

# METADATA
# description: A radiologist on a healthy device of their own retrieves one CT.
ask := {
	"subject": {
		"type": "person",
		"id": "dr.demo",
		"issuer": "https://idp.example.org",
		"roles": ["radiologist"],
		"groups": [],
		"sites": [],
		"mfa": true,
		"claims": {},
	},
	"action": {"name": "retrieve", "transaction": "wado-rs.instance"},
	"resource": {"type": "instance", "study_uid": "1.2.3"},
	"studies": [{"study_uid": "1.2.3", "modalities": ["CT"]}],
	"device": {
		"id": "DEV1",
		"owner": "dr.demo",
		"owner_issuer": "https://idp.example.org",
		"binding": "mtls",
		"key_protection": "software",
		"posture_age_seconds": 20,
		"checks": {"firewall": {"status": "pass"}},
	},
	"context": {
		"door": "http",
		"client_ip": "192.0.2.7",
		"networks": ["private"],
		"break_glass": null,
		"risk": {},
		"degraded": [],
		"hour": 10,
		"weekday": 3,
	},
	"missing": [],
}

# METADATA
# description: Small tables, so that a test shows what it rests on.
tables := {
	"break_glass": {
		"enabled": false,
		"roles": ["physician"],
		"overrides": ["oncology", "treating"],
		"max_age_seconds": 600,
	},
	"bulkdata": {"open": ["7FE00010"], "roles": ["radiologist"]},
	"degraded": {
		"log-disk": {"actions": ["export"], "purposes": ["HRESCH"], "only": [], "undeclared": "allowed"},
		"log-reserve": {"actions": ["export"], "purposes": [], "only": ["TREAT", "ETREAT"], "undeclared": "allowed"},
		"clock": {"actions": ["export", "delete"], "purposes": [], "only": [], "undeclared": "allowed"},
	},
	"countries": {"except": [], "everyone": {}, "roles": {}},
	"devices": {"shared": {}, "exempt_service_roles": []},
	"emergency": {
		"enabled": true,
		"transactions": ["qido-rs.*", "wado-rs.*"],
		"overrides": ["oncology", "treating"],
	},
	"hours": {"enabled": false, "roles": {}},
	"leases": {"retrieve": {"seconds": 5, "scope": "study"}, "search": {"seconds": 2, "scope": "study"}},
	"mfa": {"acr_values": ["mfa"]},
	"networks": {"networks": {}, "everyone": {}, "roles": {}},
	"oncology": {
		"modalities": ["MR"],
		"roles": ["oncologist"],
		"listed_roles": ["physician"],
		"icd10_prefixes": ["C5", "D0", "C7A"],
		"snomed": ["363346000"],
	},
	"outlive": {"actions": {}},
	"posture": {
		"max_age_seconds": 120,
		"required": ["firewall"],
		"roles": {"researcher": {"required": ["screen_lock"], "max_age_seconds": 60}},
		"remediation": {"firewall": "Switch it on."},
	},
	"purpose": {"roles": {"researcher": ["HRESCH"]}},
	"referring": {
		"roles": ["referring"],
		"watermark": {"show": ["requester", "time"], "note": "City", "strength": 20},
	},
	"research": {"purposes": ["HRESCH"], "projects": {}},
	"risk": {"refused": {"user": ["HIGH"], "device": ["MEDIUM", "HIGH"]}},
	"roles": {
		"transactions": ["qido-rs.*", "wado-rs.*"],
		"everyone": {"allow": [{"actions": ["retrieve"], "transactions": ["static.file"]}]},
		"roles": {
			"radiologist": {"allow": [{"actions": ["search", "retrieve", "render"]}]},
			"physician": {"allow": [{"actions": ["search", "retrieve", "render"]}]},
			"oncologist": {"allow": [{"actions": ["search", "retrieve", "render"]}]},
			"researcher": {"allow": [{"actions": ["search", "retrieve"], "modalities": ["CT", "MR"]}]},
			"sonographer": {"allow": [{"actions": ["search", "retrieve"], "modalities": ["US"]}]},
			"operator": {"allow": [{"actions": ["manage"], "transactions": ["orthanc.servers"]}]},
		},
	},
	"search": {"open": ["0020000D"], "roles": ["radiologist"]},
	"step_up": {"actions": {"export": 600, "delete": 600}},
	"treating": {"enabled": false, "exempt_roles": ["radiologist"], "listed_roles": ["physician"]},
	"writes": {
		"images": {"roles": ["modality", "technologist"]},
		"derived": {"sop_classes": ["1.2.840.10008.5.1.4.1.1.88.33"]},
		"replace_roles": [],
	},
}

# METADATA
# description: The question with these parts changed (objects are merged, all else is replaced).
but(change) := object.union(ask, change)

# METADATA
# description: The question asked in these roles.
acting(roles) := but({"subject": {"roles": roles}})

# METADATA
# description: The tables with these parts changed.
with_tables(change) := object.union(tables, change)
