from typing import get_args

from leadglass.audit.settings import NoticesSettings, OpaHttpSettings, SmtpSettings, WebhookSettings
from leadglass.audit.sinks.opa_http import OpaHttpSink
from leadglass.audit.sinks.registry import SINKS, make, make_notices
from support.clock import FakeClock


def test_every_type_of_the_settings_has_its_receiver() -> None:
    assert set(SINKS) == set(get_args(OpaHttpSettings.model_fields["type"].annotation))


def test_a_receiver_is_made_and_its_name_tells_no_secret() -> None:
    sink = make(OpaHttpSettings(type="opa-http", url="https://collector.example.org/logs?key=secret"))
    assert isinstance(sink, OpaHttpSink)
    assert sink.name.startswith("opa-http-")
    assert "secret" not in sink.name


def test_receivers_of_notices() -> None:
    assert make_notices(NoticesSettings(), FakeClock()) == []
    webhook = WebhookSettings(url="https://chat.example.org/hook")
    smtp = SmtpSettings(host="mail.example.org", sender="a@x.example", to=("b@x.example",))
    names = [sink.name for sink in make_notices(NoticesSettings(webhook=webhook, smtp=smtp), FakeClock())]
    assert [name.partition("-")[0] for name in names] == ["webhook", "smtp"]
