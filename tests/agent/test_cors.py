import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from leadglass_agent.cors import Pages

PAGE = "https://viewer.example.org"
PAGES = Pages([PAGE], methods="GET, POST", headers="Accept", exposed="Warning")


def asked(*fields: tuple[str, str], method: str = "OPTIONS") -> web.Request:
    return make_mocked_request(method, "/x", CIMultiDict(fields))


async def told(request: web.Request, pages: Pages = PAGES) -> dict[str, str]:
    response = pages.preflight(request) if request.method == "OPTIONS" else web.Response()
    await pages.share(request, response)
    return {name: value for name, value in response.headers.items() if name != "Content-Type"}


async def test_a_listed_page_may_read_and_is_told_what_it_may_send() -> None:
    shared = {"Vary": "Origin", "Access-Control-Allow-Origin": PAGE, "Access-Control-Expose-Headers": "Warning"}
    assert await told(asked(("Origin", PAGE), method="GET")) == shared
    assert await told(asked(("Origin", PAGE))) == shared | {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Accept",
        "Access-Control-Max-Age": "600",
    }
    plain = await told(asked(("Origin", PAGE), method="GET"), Pages([PAGE], methods="POST", headers="Accept"))
    assert "Access-Control-Expose-Headers" not in plain


@pytest.mark.parametrize(("said", "granted"), [("true", "true"), ("false", None), ("TRUE", None)])
async def test_the_local_network_is_granted_where_it_is_asked_for(said: str, granted: str | None) -> None:
    answer = await told(asked(("Origin", PAGE), ("Access-Control-Request-Private-Network", said)))
    assert answer.get("Access-Control-Allow-Private-Network") == granted
    assert "Access-Control-Allow-Private-Network" not in await told(asked(("Origin", PAGE)))


@pytest.mark.parametrize("origins", [[], ["null"], [PAGE + ".evil"], [PAGE, PAGE], [PAGE, "https://evil.example"]])
async def test_every_other_page_is_kept_from_the_answer(origins: list[str]) -> None:
    request = asked(*(("Origin", origin) for origin in origins), method="GET")
    assert not PAGES.lists(request)
    assert await told(request) == {"Vary": "Origin", "Cross-Origin-Resource-Policy": "same-origin"}
