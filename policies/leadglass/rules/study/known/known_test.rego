package leadglass.tests.study.known

import data.leadglass.questions_test as q
import data.leadglass.rules.study.known as rule

denied(change) := denials if {
	denials := rule.deny with input as q.but(change) with data.tables as q.tables
}

store(roles, resource, studies) := {
	"subject": {"roles": roles},
	"action": {"name": "store", "transaction": "stow-rs.store"},
	"resource": resource,
	"studies": studies,
}

test_a_known_study if denied({}) == set()

test_an_unknown_study if {
	denied({"studies": [{"study_uid": "1.2"}]}) == {{"code": "study-unknown", "row": 0}}
	denied({"studies": [{"study_uid": "1.2", "modalities": []}]}) == {{"code": "study-unknown", "row": 0}}
}

test_a_source_that_failed if {
	missing := {{"code": "facts-missing", "row": 0, "params": {"fact": "modalities"}}}
	denied({"studies": [{"study_uid": "1.2"}], "missing": ["studies[0].modalities"]}) == missing
	denied({"studies": [{"study_uid": "1.2"}], "missing": ["studies[0]"]}) == missing
}

test_what_is_about_studies_names_one if {
	denied({"studies": []}) == {{"code": "study-unknown"}}
	denied({"studies": [], "action": {"name": "search", "transaction": "qido-rs.studies"}}) == set()
	denied({"studies": [], "resource": {"type": "unheard-of"}}) == {{"code": "study-unknown"}}
	denied({"studies": [], "resource": {"type": "server"}}) == set()
	denied({"studies": [], "resource": {"type": "project"}, "action": {"name": "export", "transaction": "project.reidentify"}}) == set()
}

workitem(roles, studies) := {
	"subject": {"roles": roles},
	"action": {"name": "update", "transaction": "ups-rs.state"},
	"resource": {"type": "workitem", "instance_uid": "1.2.3"},
	"studies": studies,
}

test_a_workitem_is_about_the_studies_it_names if {
	made := [{"study_uid": "1.2", "modalities": ["CT"]}]
	denied(workitem(["radiologist"], made)) == set()
	denied(workitem(["radiologist"], [])) == {{"code": "study-unknown"}}
	denied(workitem(["radiologist"], [{"study_uid": "1.2"}])) == {{"code": "study-unknown", "row": 0}}
}

test_workitems_of_studies_yet_to_be_made_are_for_those_who_make_them if {
	denied(workitem(["technologist"], [])) == set()
	denied(workitem(["technologist"], [{"study_uid": "1.2"}])) == set()
	failed := {"missing": ["studies[0].modalities"]}
	denied(object.union(workitem(["technologist"], [{"study_uid": "1.2"}]), failed)) == {{
		"code": "facts-missing",
		"row": 0,
		"params": {"fact": "modalities"},
	}}
}

test_the_worklist_as_a_whole_names_none if {
	search := {"action": {"name": "search", "transaction": "ups-rs.search"}, "resource": {"type": "workitem"}}
	denied(object.union(search, {"studies": []})) == set()
	whole := {"action": {"name": "subscribe", "transaction": "ups-rs.subscribe-worklist"}, "resource": {"type": "worklist"}}
	denied(object.union(whole, {"studies": []})) == set()
}

test_images_go_into_new_studies_and_derived_objects_do_not if {
	new := [{"study_uid": "1.2"}]
	denied(store(["technologist"], {"sop_class": "1.2.3"}, new)) == set()
	denied(store(["radiologist"], {"sop_class": "1.2.3"}, new)) == {{"code": "study-unknown", "row": 0}}
}

test_a_source_that_failed_stops_no_images if {
	part := store(["technologist"], {"sop_class": "1.2.3"}, [{"study_uid": "1.2"}])
	denied(object.union(part, {"missing": ["studies[0].modalities"]})) == set()
}

test_a_part_names_a_study if {
	denied(store(["technologist"], {"sop_class": "1.2.3"}, [])) == {{"code": "study-unknown"}}
	denied(store(["technologist"], {}, [])) == set()
}
