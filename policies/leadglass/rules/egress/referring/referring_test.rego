package leadglass.tests.egress.referring

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.referring as rule

both := {
	{"type": "render-only"},
	{"type": "watermark", "show": ["requester", "time"], "note": "City", "strength": 20},
}

obliged(roles) := obligations if {
	question := q.but({"subject": {"roles": roles}})
	obligations := rule.oblige with input as question with data.tables as q.tables
}

test_who_refers_sees_pictures_alone if obliged(["referring"]) == both

test_others_are_not_bound if obliged(["radiologist"]) == set()

test_who_also_reads_images_is_not_bound if obliged(["referring", "radiologist"]) == set()

test_roles_that_grant_nothing_do_not_unbind if obliged(["referring", "offline_access"]) == both

test_a_role_for_another_purpose_does_not_unbind if obliged(["referring", "researcher"]) == both
