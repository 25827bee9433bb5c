package leadglass.tests.device.enrolled

import data.leadglass.questions_test as q
import data.leadglass.rules.device.enrolled as rule

test_the_owner_on_their_device if rule.deny == set() with input as q.ask with data.tables as q.tables

test_no_device if {
	rule.deny == {{"code": "device-required"}} with input as q.but({"device": null}) with data.tables as q.tables
	absent := object.remove(q.ask, ["device"])
	rule.deny == {{"code": "device-required"}} with input as absent with data.tables as q.tables
}

test_files_of_a_viewer_need_no_device if {
	file := {"action": {"name": "retrieve", "transaction": "static.file"}}
	rule.deny == set() with input as q.but(object.union(file, {"device": null})) with data.tables as q.tables
	other := q.but(object.union(file, {"device": {"owner": "dr.other"}}))
	rule.deny == set() with input as other with data.tables as q.tables
}

test_somebody_elses_device if {
	question := q.but({"device": {"owner": "dr.other"}})
	rule.deny == {{"code": "device-not-owned"}} with input as question with data.tables as q.tables
}

test_the_same_id_of_another_issuer if {
	question := q.but({"subject": {"issuer": "https://other.example.org"}})
	rule.deny == {{"code": "device-not-owned"}} with input as question with data.tables as q.tables
	unsaid := json.remove(q.ask, ["/device/owner_issuer"])
	rule.deny == {{"code": "device-not-owned"}} with input as unsaid with data.tables as q.tables
}

test_a_shared_device_is_for_its_roles if {
	question := q.but({"device": {"owner": "radiology"}})
	for_radiologists := q.with_tables({"devices": {"shared": {"DEV1": {"roles": ["radiologist"]}}}})
	rule.deny == set() with input as question with data.tables as for_radiologists
	for_others := q.with_tables({"devices": {"shared": {"DEV1": {"roles": ["technologist"]}}}})
	rule.deny == {{"code": "device-not-owned"}} with input as question with data.tables as for_others
	another := q.with_tables({"devices": {"shared": {"DEV2": {"roles": ["radiologist"]}}}})
	rule.deny == {{"code": "device-not-owned"}} with input as question with data.tables as another
}

test_only_services_may_be_exempt if {
	tables := q.with_tables({"devices": {"exempt_service_roles": ["modality", "radiologist"]}})
	service := q.but({"device": null, "subject": {"type": "service", "roles": ["modality"]}})
	rule.deny == set() with input as service with data.tables as tables
	rule.deny == {{"code": "device-required"}} with input as service with data.tables as q.tables
	another := q.but({"device": null, "subject": {"type": "service", "roles": ["mirror"]}})
	rule.deny == {{"code": "device-required"}} with input as another with data.tables as tables
	rule.deny == {{"code": "device-required"}} with input as q.but({"device": null}) with data.tables as tables
}
