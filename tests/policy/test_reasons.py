import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.model.reasons import REASONS, Disclose
from leadglass.policy.reasons import merged
from leadglass.policy.yamlfile import YamlFile

ROW = "{status: 403, title: T, sentence: S., fix: F., disclose: log}"


def declared(text: str, name: str = "reasons.yaml") -> YamlFile:
    return YamlFile(name, text.encode())


def test_declared_reasons_join_the_gateways() -> None:
    reasons = merged([declared(f"my-rule: {ROW}")])
    assert reasons["my-rule"].disclose is Disclose.LOG
    assert reasons.keys() == {*REASONS, "my-rule"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"not-granted: {ROW}", "declared already"),
        (f"My-Rule: {ROW}", "lower-case"),
        ("my-rule: {status: 403}", "title"),
        (f"my-rule: {ROW[:-1]}, extra: 1}}", "extra"),
        (f"my-rule: {ROW.replace('403', '200')}", "400"),
        (f"my-rule: {ROW.replace('403', 'NO')}", "status"),
        (f"my-rule: {ROW.replace('log', 'everyone')}", "disclose"),
        ("[]", "mapping"),
    ],
)
def test_a_faulty_declaration_is_an_error(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        merged([declared(text)])


def test_a_site_may_not_declare_a_shipped_code_again() -> None:
    with pytest.raises(ConfigurationError, match=r"site\.yaml:1"):
        merged([declared(f"my-rule: {ROW}"), declared(f"my-rule: {ROW}", "site.yaml")])
