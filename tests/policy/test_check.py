"""Each rule of the gate, with a fault planted for it. Needs the opa program, whose parser it uses."""

from dataclasses import replace

import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import check, sources
from support.policy import files

PATH = "leadglass/rules/site/mine/mine.rego"
HEAD = "package leadglass.rules.site.mine\n\nimport data.leadglass.lib\n\n"
LIB = """package leadglass.lib

number(text) := to_number(text)

early if input.context.hour < 7

first if input.resource.instance_uid == "1.2.3"

parsed := json.unmarshal(input.subject.claims.raw)
"""
LEASE = 'lease contains {"seconds": 5, "scope": "study"}\n'


def findings(rule: str, *, lib: str = LIB, scope: str = "instance", package: str = HEAD) -> list[str]:
    rules = {PATH: (package + rule).encode(), "leadglass/lib/lib.rego": lib.encode()}
    tables = {"roles": {"lease_scope": scope, "scope": scope}}
    return [str(one) for one in check.check(replace(files(), rules=rules, tables=tables))]


SOUND = [
    pytest.param('grant contains {"code": "a"} if input.subject.mfa', id="plain"),
    pytest.param('deny contains {"code": "a"} if not input.subject.acr == "mfa"', id="equality under not"),
    pytest.param('deny contains {"code": "a"} if not "x" in input.subject.roles', id="a fact that is always there"),
    pytest.param(
        'deny contains {"code": "a"} if not bound\n\nbound if input.context.purpose in {"TREAT"}',
        id="a rule of its own",
    ),
    pytest.param('grant contains {"code": "a"} if to_number(input.subject.id) > 3', id="failing, and then no grant"),
    pytest.param(
        'deny contains {"code": "a"} if input.context.hour < 7\n\nuntil contains {"in": 60}', id="time with until"
    ),
    pytest.param('deny contains {"code": "a"} if regex.match(`^[a-z]+$`, input.subject.id)', id="constant pattern"),
    pytest.param('deny contains {"code": "a", "params": {"n": sprintf("%d", [1])}}', id="sprintf"),
    pytest.param('deny contains {"code": "a"} if substring(input.subject.id, 1, -1) == "x"', id="constant offset"),
    pytest.param('deny contains {"code": "a"} if indexof(input.subject.id, "x") == 1', id="constant text sought"),
    pytest.param('deny contains {"code": format_int(count(input.studies), 10)}', id="constant base"),
    pytest.param('deny contains {"code": "a"} if input.device == null', id="whether a section is there"),
    pytest.param('deny contains {"code": "a"} if is_null(input.context.break_glass)', id="whether a member is null"),
    pytest.param('deny contains {"code": "a"} if not input.device', id="a section by itself"),
    pytest.param(
        'deny contains {"code": "a"} if object.get(input.device, ["checks", input.subject.id], {}) == {}',
        id="a section, and where to look in it",
    ),
    pytest.param(
        'deny contains {"code": "a"} if {\n\tsome role in input.subject.roles\n\tnot startswith(role, "x")\n}',
        id="an element that is there",
    ),
    pytest.param(
        'deny contains {"code": "a"} if input.context.weekday % 2 == 0\n\nuntil contains {"in": 60}', id="remainder"
    ),
]

UNSOUND = [
    pytest.param('deny contains {"code": "a"} if time.now_ns() > 1', "time.now_ns", id="clock"),
    pytest.param('deny contains {"code": "a"} if rand.intn("x", 2) == 1', "rand.intn", id="random"),
    pytest.param('deny contains {"code": uuid.rfc4122("x")}', "uuid.rfc4122", id="uuid in a head"),
    pytest.param('deny contains {"code": "a"} if http.send({"method": "get", "url": "x"})', "http.send", id="http"),
    pytest.param('deny contains {"code": "a"} if opa.runtime().env', "opa.runtime", id="runtime"),
    pytest.param('deny contains {"code": "a"} if net.lookup_ip_addr("x")', "net.lookup_ip_addr", id="lookup"),
    pytest.param('deny contains {"code": "a"} if [1 | time.now_ns() > 1]', "time.now_ns", id="in a comprehension"),
    pytest.param(
        'deny contains {"code": "a"} if not to_number(input.subject.id) > 3', "to_number", id="failing under not"
    ),
    pytest.param(
        'deny contains {"code": "a"} if not semver.compare("1.0.0", input.subject.id) == 0', "semver.compare", id="host"
    ),
    pytest.param(
        'grant contains {"code": "a"} if not lib.number(input.subject.id) == 3', "to_number", id="through lib"
    ),
    pytest.param(
        'grant contains {"code": "a"} if not big\n\nbig if to_number(input.subject.id) > 3', "to_number", id="helper"
    ),
    pytest.param('grant contains {"code": "a"} if not data.leadglass.lib.parsed.x', "json.unmarshal", id="full path"),
    pytest.param(
        'deny contains {"code": "a"} if to_number(input.subject.id) > 3', "would vanish", id="failing in a deny"
    ),
    pytest.param(
        'deny contains {"code": "a"} if net.cidr_contains("10.0.0.0/8", input.context.client_ip)', "vanish", id="cidr"
    ),
    pytest.param(
        'deny contains {"code": "a"} if regex.match(input.subject.id, "x")', "vanish", id="pattern from input"
    ),
    pytest.param(
        'deny contains {"code": "a"} if not input.context.purpose in {"TREAT"}', "may be absent", id="absent in"
    ),
    pytest.param('deny contains {"code": "a"} if not is_string(input.device.id)', "may be absent", id="absent device"),
    pytest.param(
        'deny contains {"code": "a", "row": i} if {\n\tsome i, s in input.studies\n\tnot "MR" in s.modalities\n}',
        "may be absent",
        id="absent fact of a study",
    ),
    pytest.param(
        'deny contains {"code": "a"} if not startswith(input.subject.claims.unit, "x")',
        "may be absent",
        id="open object",
    ),
    pytest.param('deny contains {"code": "a"} if not input.context.risk.score < 3', "may be absent", id="risk"),
    pytest.param(
        'deny contains {"code": "a"} if not count(input.context.break_glass.reason) > 3', "may be absent", id="nullable"
    ),
    pytest.param(
        'deny contains {"code": "a"} if not startswith(input.studies[0].study_uid, "1")', "may be absent", id="first of"
    ),
    pytest.param(
        'deny contains {"code": "a"} if inside\n\ninside if net.cidr_contains("10.0.0.0/8", input.context.client_ip)',
        "mine.rego:7: net.cidr_contains can fail, and the `deny` would vanish",
        id="failing behind a deny",
    ),
    pytest.param(
        'lease contains {"seconds": to_number(input.subject.id), "scope": "instance"}', "vanish", id="in a lease"
    ),
    pytest.param('deny contains {"code": "a"} if bits.lsh(1, count(input.studies) - 3) > 3', "bits.lsh", id="shift"),
    pytest.param('deny contains {"code": format_int(3, count(input.studies))}', "format_int", id="base"),
    pytest.param('deny contains {"code": "a"} if substring(input.subject.id, -1, 2) == "x"', "substring", id="offset"),
    pytest.param('deny contains {"code": "a"} if indexof("x", input.subject.id) == 1', "indexof", id="text sought"),
    pytest.param('deny contains {"code": "a"} if 3 % 0 == 1', "rem", id="by nothing"),
    pytest.param(
        'deny contains {"code": "a"} if {\n\tc := input.context\n\tc[concat("", ["ho", "ur"])] < 7\n}',
        "hour",
        id="a section under another name",
    ),
    pytest.param('deny contains {"code": "a"} if {\n\tsome k, v in input.context\n\tv < 7\n}', "hour", id="members"),
    pytest.param('deny contains {"code": "a"} if {\n\twalk(input.device, [_, 7])\n}', "posture_age", id="walked"),
    pytest.param(
        'deny contains {"code": "a"} if object.get(input.context, [input.subject.id], 1) == 7', "hour", id="get"
    ),
    pytest.param('deny contains {"code": "a"} if input.context == {"hour": 7}', "hour", id="section compared"),
    pytest.param('deny contains {"code": "a"} if input.context.hour < 7', "hour", id="hour"),
    pytest.param('deny contains {"code": "a"} if lib.early', "hour", id="hour through lib"),
    pytest.param(
        'deny contains {"code": "a"} if object.get(input.context, "weekday", 0) == 1', "weekday", id="by name"
    ),
    pytest.param(
        'deny contains {"code": "a"} if input.device.posture_age_seconds > 9', "posture_age_seconds", id="age"
    ),
    pytest.param('deny contains {"code": "a"} if input.subject.auth_time < 9', "auth_time", id="sign-in time"),
    pytest.param('deny contains {"code": "a"} if input.studies[_].consent.ends < 9', "consent", id="consent"),
    pytest.param('deny contains {"code": "a"} if {\n\tsome k\n\tinput.context[k] == 7\n}', "hour", id="by variable"),
    pytest.param('deny contains {"code": "a"} if count(input) == 7', "hour", id="input whole"),
]


@pytest.mark.system
@pytest.mark.parametrize("rule", SOUND)
def test_a_sound_rule_passes(rule: str) -> None:
    assert findings(rule) == []


@pytest.mark.system
@pytest.mark.parametrize(("rule", "said"), UNSOUND)
def test_an_unsound_rule_is_found(rule: str, said: str) -> None:
    found = findings(rule)
    assert any(said in one and one.startswith(f"{PATH}:") for one in found), found


INSTANCE = [
    'deny contains {"code": "a"} if input.resource.series_uid == "1"',
    'deny contains {"code": "a"} if 1 in input.resource.frames',
    'deny contains {"code": "a"} if lib.first',
    'deny contains {"code": "a"} if {\n\tsome k\n\tinput.resource[k] == "1"\n}',
]


@pytest.mark.system
@pytest.mark.parametrize("rule", INSTANCE)
def test_no_lease_by_study_where_a_rule_reads_instances(rule: str) -> None:
    assert findings(rule) == []
    assert any("scope `study`" in one for one in findings(rule, scope="study"))
    assert any("scope `study`" in one for one in findings(rule + "\n\n" + LEASE))


@pytest.mark.system
def test_a_package_is_its_folder() -> None:
    assert any(
        "the folder says otherwise" in one for one in findings("", package="package leadglass.rules.device.mfa\n")
    )


@pytest.mark.system
def test_what_is_not_rego_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.rego:5: is not Rego"):
        findings("deny contains {")


@pytest.mark.system
def test_the_shipped_rules_pass() -> None:
    assert check.check(sources.read(None)) == []


def test_optional_facts_are_read_off_the_schema() -> None:
    schema = orjson.loads(
        b'{"properties": {"a": {"properties": {"b": {}}, "required": ["b"]}, "c": {}}, "required": ["a"]}'
    )
    assert set(check._optional(schema)) == {"c"}
