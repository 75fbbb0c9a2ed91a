"""Every way to ask wrongly: status, type and text of the problem; and the next request still works."""

import doctest
import http.client
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nbo.errors import UsageError
from serving.app import App
from serving.limits import ApiKeys, keys_for
from serving.main import listen
from serving.metrics import Metrics
from serving.settings import ServeSettings
from serving.state import Live

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(server: Any) -> Any:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and detail of a response that must be a problem document."""
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code
    return response.status_code, told["type"].removeprefix("urn:nbo:problem:"), told["detail"]


BODIES = {
    "no body": (b"", 400, "malformed-json", "expected UTF-8 JSON"),
    "half a body": (b'{"accounts": ["A0', 400, "malformed-json", "expected UTF-8 JSON"),
    "trailing text": (b'{"accounts": ["A001"]} x', 400, "malformed-json", "expected UTF-8 JSON"),
    "wrong type in a broken body": (b'{"accounts": [1', 400, "malformed-json", "expected UTF-8 JSON"),
    "not UTF-8": (b'{"accounts": ["\xff"]}', 400, "malformed-json", "expected UTF-8 JSON"),
    "NaN": (b'{"rows": [{"features": {"a": NaN}}]}', 400, "malformed-json", "expected UTF-8 JSON"),
    "a lone surrogate": (b'{"accounts": ["\\ud800"]}', 400, "malformed-json", "expected UTF-8 JSON"),
    "deep arrays": (b"[" * 200_000, 400, "malformed-json", "nested too deep"),
    "deep objects": (b'{"accounts": ' + b'{"a": ' * 150_000, 400, "malformed-json", "nested too deep"),
    "a list": (b"[]", 422, "invalid-request", "Expected `object`, got `array`"),
    "nothing asked": (b"{}", 422, "invalid-request", "expected 1 to 1,000 items, got 0"),
    "an unknown field": (b'{"account": []}', 422, "invalid-request", "unknown field `account`"),
    "a number as account": (b'{"accounts": [1]}', 422, "invalid-request", "Expected `str`, got `int`"),
    "an empty account": (b'{"accounts": [""]}', 422, "invalid-request", "length >= 1"),
    "a text as flag": (b'{"accounts": ["A"], "reasons": "true"}', 422, "invalid-request", "Expected `bool`"),
    "a number as flag": (b'{"accounts": ["A"], "reasons": 1}', 422, "invalid-request", "Expected `bool`"),
    "another language": (b'{"accounts": ["A"], "language": "fr"}', 422, "invalid-request", "Invalid enum"),
    "true as a number": (b'{"rows": [{"features": {"a": true}}]}', 422, "invalid-request", "got `bool`"),
    "a list as a number": (b'{"rows": [{"features": {"a": []}}]}', 422, "invalid-request", "got `array`"),
    "infinity": (b'{"rows": [{"features": {"a": 1e999}}]}', 422, "invalid-request", "out of range"),
    "a row without features": (
        b'{"rows": [{}]}',
        422,
        "invalid-request",
        "missing required field `features`",
    ),
    "an unknown field in a row": (
        b'{"rows": [{"features": {}, "id": 1}]}',
        422,
        "invalid-request",
        "unknown field `id`",
    ),
    "1,001 accounts": (
        json.dumps({"accounts": ["A"] * 1_001}).encode(),
        422,
        "invalid-request",
        "length <= 1000",
    ),
    "1,001 items together": (
        json.dumps({"accounts": ["A"] * 1_000, "rows": [{"features": {}}]}).encode(),
        422,
        "invalid-request",
        "expected 1 to 1,000 items, got 1,001",
    ),
}


@pytest.mark.parametrize(("body", "status", "code", "text"), BODIES.values(), ids=BODIES)
def test_a_body_that_does_not_fit_is_told_why(
    client: httpx.Client, body: bytes, status: int, code: str, text: str
) -> None:
    told = problem(client.post("/v1/scores", content=body, headers=JSON))
    assert told[:2] == (status, code)
    assert text in told[2]


def features(built: Any, **changes: Any) -> dict[str, Any]:
    return {**dict.fromkeys(built.bundle(built.first).features.names), **changes}


def test_a_text_for_a_number_and_a_number_for_a_text_are_refused(client: httpx.Client, built: Any) -> None:
    compiled = built.bundle(built.first).features.features
    number = next(f.name for f in compiled if f.kind == "number")
    category = next(f.name for f in compiled if f.kind == "category")
    for name, value, text in ((number, "1", "got a text"), (category, 1, "got a number")):
        body = {"rows": [{"features": features(built)}, {"features": features(built, **{name: value})}]}
        status, code, detail = problem(client.post("/v1/scores", json=body))
        assert (status, code) == (422, "wrong-kind")
        assert detail.startswith(f"rows[1].features.{name}: expected")
        assert text in detail


def test_absent_features_are_named_not_guessed(client: httpx.Client, built: Any) -> None:
    given = features(built)
    first = next(iter(given))
    del given[first]
    status, code, detail = problem(client.post("/v1/scores", json={"rows": [{"features": given}]}))
    assert (status, code) == (422, "missing-feature")
    assert first in detail
    assert "1 too few" in detail


def test_an_unknown_feature_gets_close_matches(client: httpx.Client, built: Any) -> None:
    given = features(built, calls_count_31d=1.0)
    status, code, detail = problem(client.post("/v1/scores", json={"rows": [{"features": given}]}))
    assert (status, code) == (422, "unknown-feature")
    assert "did you mean" in detail
    assert "calls_count_30d" in detail


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "expected application/json in UTF-8, got ''"),
        ({"Content-Type": "text/plain"}, "got 'text/plain'"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "got 'multipart/form-data"),
        ({"Content-Type": "application/json; charset=gbk"}, "charset=gbk"),
        ({"Content-Type": "application/vnd.bentoml+pickle"}, "bentoml+pickle"),
        ({**JSON, "Content-Encoding": "gzip"}, "content-encoding: expected none, got 'gzip'"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/scores", "/score"])
def test_only_plain_json_is_read(client: httpx.Client, path: str, headers: dict[str, str], text: str) -> None:
    status, code, detail = problem(client.post(path, content=b'{"accounts": ["A001"]}', headers=headers))
    assert (status, code) == (415, "unsupported-media-type")
    assert text in detail


def test_json_may_name_its_charset(client: httpx.Client) -> None:
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert client.post("/v1/scores", content=b'{"accounts": ["A001"]}', headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/scores", "/score"])
def test_a_body_past_the_limit_is_refused_however_it_is_sent(client: httpx.Client, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    for content in (b" " * (1 << 21), chunks()):
        status, code, detail = problem(client.post(path, content=content, headers=JSON))
        assert (status, code) == (413, "content-too-large")
        assert "at most 1,048,576 bytes" in detail


def test_a_body_just_within_the_limit_is_read(client: httpx.Client) -> None:
    body = b'{"accounts": ["A001"]}'.ljust(1 << 20)
    assert client.post("/v1/scores", content=body, headers=JSON).status_code == 200
    assert client.post("/v1/scores", content=body + b" ", headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path", ["/nope", "/v1", "/v1/scores/", "/v1/score", "/docs.json", "/static_content/index.css", "//livez"]
)
def test_an_unknown_path_is_a_404_problem(client: httpx.Client, path: str) -> None:
    assert problem(client.get(client.base_url.join(path) if path[1] != "/" else f"{client.base_url}{path}"))[
        :2
    ] == (404, "unknown-route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/scores", "POST"),
        ("OPTIONS", "/v1/scores", "POST"),
        ("POST", "/v1/model", "GET, HEAD"),
        ("DELETE", "/livez", "GET, HEAD"),
        ("GET", "/score", "POST"),
        ("PUT", "/v1/scores", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert problem(response)[:2] == (405, "wrong-method")
    assert response.headers["allow"] == allowed


def test_head_answers_like_get_without_a_body(client: httpx.Client) -> None:
    response = client.head("/livez")
    assert (response.status_code, response.content) == (200, b"")


def test_a_connection_survives_every_error(server: Any) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.connect()
    before = connection.sock.getsockname()
    for body in (b"{", b"{}", b'{"accounts": [1]}', b"[" * 200_000, b'{"rows": [{"features": {}}]}'):
        connection.request("POST", "/v1/scores", body, JSON)
        response = connection.getresponse()
        response.read()
        assert response.status in (400, 422)
        connection.request("POST", "/v1/scores", b'{"accounts": ["A001"]}', JSON)
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["results"][0]["account_id"] == "A001"
    assert connection.sock.getsockname() == before


def test_a_caller_who_hangs_up_leaves_no_trace_of_a_defect(server: Any) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(
                b"POST /v1/scores HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
    assert httpx.get(f"{server.url}/livez").status_code == 200
    assert "defect" not in server.log.read_text()


def test_a_defect_is_told_by_an_id_that_stands_in_the_log(
    operator: Any, direct: Any, caplog: pytest.LogCaptureFixture
) -> None:
    live = Live(ServeSettings(operator.workspace, operator.store))
    live.refresh()
    # A bundle whose metadata lost its band edges: nothing the caller did.
    del live.require().bundle.metadata["band_edges"]
    ask = direct(App(live, ApiKeys(), Metrics()))
    with caplog.at_level(logging.ERROR, "nbo.serving"):
        response = ask("POST", "/v1/scores", json={"accounts": ["A001"]})
    assert problem(response)[:2] == (500, "defect")
    identity = response.json()["instance"]
    assert identity.startswith("urn:uuid:")
    assert identity in caplog.text
    assert "KeyError" in caplog.text
    assert "KeyError" not in response.text
    assert "Traceback" not in response.text
    assert ask("GET", "/livez").status_code == 200
    assert 'route="/v1/scores",status="500"' in ask("GET", "/metrics").text


def test_before_anything_is_loaded_the_server_lives_but_is_not_ready(direct: Any) -> None:
    ask = direct(App(Live(ServeSettings(Path(), Path())), ApiKeys(), Metrics()))
    assert ask("GET", "/livez").json() == {"status": "alive"}
    for response in (
        ask("GET", "/readyz"),
        ask("GET", "/v1/model"),
        ask("POST", "/v1/scores", json={"accounts": ["A"]}),
    ):
        assert problem(response)[:2] == (503, "not-loaded")
    assert "nbo_ready 0.0" in ask("GET", "/metrics").text


def test_another_address_than_loopback_needs_keys(refused_start: Any) -> None:
    told = refused_start(host="0.0.0.0")
    assert (told.returncode, told.stdout) == (2, "")
    assert "host: expected a loopback address while there are no API keys, got '0.0.0.0'" in told.stderr


def test_keys_and_scopes_guard_every_route_but_the_open_ones(serve: Any, tmp_path: Path) -> None:
    score, admin = "s" * 24, "a" * 24
    keys = tmp_path / "keys"
    keys.write_text(f"# who may ask\ncrm score {score}\nops admin {admin}\n")
    with serve(host="0.0.0.0", keys=str(keys)) as server, httpx.Client(timeout=60) as client:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        for path in ("/livez", "/readyz", "/openapi.json", "/"):
            assert client.get(url + path).status_code == 200
        for headers in (
            {},
            bearer("x" * 24),
            {"Authorization": f"Basic {score}"},
            {"Authorization": "Bearer"},
        ):
            for path in ("/v1/model", "/metrics", "/score", "/nope", "/v1/scores"):
                response = client.get(url + path, headers=headers)
                assert problem(response)[:2] == (401, "unauthorised")
                assert response.headers["www-authenticate"] == "Bearer"
        asked = {"json": {"accounts": ["A001"]}}
        for path in ("/v1/scores", "/score"):
            assert client.post(url + path, headers=bearer(score), **asked).status_code == 200
            assert client.post(url + path, headers=bearer(admin), **asked).status_code == 200
        assert problem(client.get(url + "/metrics", headers=bearer(score)))[:2] == (403, "forbidden")
        assert client.get(url + "/metrics", headers=bearer(admin)).status_code == 200
        assert score not in server.log.read_text()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crm score short", "got another form in entry 1"),
        ("# fine\ncrm write 0123456789abcdef01234567", "got another form in entry 2"),
        ("0123456789abcdef01234567", "got another form in entry 1"),
        ("", "got none"),
    ],
)
def test_a_malformed_key_file_is_refused_without_showing_keys(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as told:
        keys_for(ServeSettings(tmp_path, tmp_path, api_keys_file=path), {})
    assert "0123456789abcdef" not in str(told.value)
    with pytest.raises(UsageError, match="expected a readable file"):
        keys_for(ServeSettings(tmp_path, tmp_path, api_keys_file=tmp_path / "none"), {})


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = ServeSettings(tmp_path, tmp_path, host="10.0.0.1")
    keys = keys_for(settings, {"NBO_API_KEYS": f"crm score {'k' * 24}; ops admin {'l' * 24}"})
    assert [key.name for key in keys.keys] == ["crm", "ops"]
    assert keys.scopes_of("k" * 24) == {"score"}
    assert keys.scopes_of("k" * 23) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_key(tmp_path: Path, host: str) -> None:
    assert keys_for(ServeSettings(tmp_path, tmp_path, host=host), {}).keys == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_every_other_host_does(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="expected a loopback address"):
        keys_for(ServeSettings(tmp_path, tmp_path, host=host), {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": -1}, "port: expected 0 to 65535, got -1"),
        ({"drain_seconds": -1.0}, "drain_seconds: expected 0 to 3600 seconds"),
        ({"drain_seconds": float("nan")}, "drain_seconds: expected 0 to 3600 seconds"),
        ({"workers": 2}, "workers: expected 1, got 2"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ServeSettings(Path(), Path(), **settings)


def test_a_taken_port_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServeSettings(Path(), Path(), port=taken.getsockname()[1])
        with pytest.raises(UsageError, match=r"expected a free address, got 127\.0\.0\.1"):
            listen(settings)


@pytest.mark.parametrize("module", ["serving.limits", "serving.problems", "serving.settings", "serving.wire"])
def test_examples_in_docstrings_hold(module: str) -> None:
    __import__(module)
    told = doctest.testmod(sys.modules[module])
    assert told.attempted > 0
    assert told.failed == 0
