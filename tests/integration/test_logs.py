"""Logs as a collector reads them: one object a line, the request's id on each, and nobody's values."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline import logs
from pipeline.api.app import build
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.settings import load
from tests.api import signed_in
from tests.factories import VILLE, People, people
from tests.production import PRODUCTION


@pytest.fixture
def lines() -> Iterator[Any]:
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def test_each_request_is_one_line_with_the_id_that_its_client_got(rt: Runtime, lines: Any) -> None:
    who: People = people(rt)
    app = build(replace(rt, settings=replace(rt.settings, log_json=True)))
    with TestClient(app, base_url="http://api.test") as http:
        answer = signed_in(rt, http, who.verifier).post(
            "/sdcrs-services/v1/report/_search", {"searchCriteria": {"tenantId": VILLE, "limit": 1}}
        )
        http.get("/track/ABCDEFGH")
    search, track = [line for line in lines() if line["message"] == "request"]
    assert (search["route"], search["status"], search["method"]) == ("/sdcrs-services/v1/report/_search", 200, "POST")
    assert search["requestId"] == answer.headers["x-correlation-id"]
    assert search["tookMs"] > 0
    assert track["route"] == "/track/{tracking_id}"
    assert "ABCDEFGH" not in json.dumps(track)


def test_an_error_is_logged_by_kind_and_place_and_never_by_its_message(lines: Any) -> None:
    try:
        raise ValueError("ravi@okaxis")
    except ValueError:
        logging.getLogger("pipeline.test").exception("It failed")
    (line,) = lines()
    assert (line["level"], line["error"], line["message"]) == ("ERROR", "ValueError", "It failed")
    assert "ravi@okaxis" not in json.dumps(line)


@pytest.mark.parametrize(
    ("environment", "as_json"),
    [({}, False), ({"LOG_FORMAT": "json"}, True), (PRODUCTION, True), ({**PRODUCTION, "LOG_FORMAT": "text"}, False)],
)
def test_the_format_is_chosen_by_a_setting(environment: dict[str, str], as_json: bool) -> None:
    assert load(environment).log_json is as_json


def test_a_format_that_is_unknown_is_refused() -> None:
    with pytest.raises(AppError, match="SDCRS_BAD_SETTING"):
        load({"LOG_FORMAT": "xml"})
