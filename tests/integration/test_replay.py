"""The replay itself: times shifted by one amount, what binds compared, and the whole folder of packets where there is one."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import AppError
from pipeline.replay.compare import compare
from pipeline.replay.files import read_packets, shifted
from pipeline.replay.run import replay
from pipeline.replay.verdict import judge
from pipeline.settings import Settings

NOW = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "got", "differences"),
    [
        # a value that binds must be equal
        ({"status": "VERIFIED"}, {"status": "VERIFIED"}, 0),
        ({"status": "VERIFIED"}, {"status": "REJECTED"}, 1),
        # another need only be there, and of the same type
        ({"reportNumber": "DR-DJ-2024-000123"}, {"reportNumber": "DR-DJ-2026-000001"}, 0),
        ({"verifiedAt": 1734180200000}, {"verifiedAt": "2026-03-10"}, 1),
        ({"verifiedAt": 1734180200000}, {}, 1),
        ({"count": 5}, {"count": True}, 1),
        # ids are opaque text, whatever the packet made up
        ({"id": 24226}, {"id": "01a2-uuid"}, 0),
        ({"id": "x"}, {"id": None}, 1),
        # remarks do not count, and ours may have more
        ({"_comment": "x"}, {"more": 1}, 0),
        # null says nothing
        ({"utr": None}, {"utr": "4234"}, 0),
        # lists by their first items
        ({"DogReports": [{"status": "A"}]}, {"DogReports": [{"status": "A"}, {"status": "B"}]}, 0),
        ({"DogReports": [{"status": "A"}, {"status": "B"}]}, {"DogReports": [{"status": "A"}]}, 1),
        ({"validationChecks": ["A", "B"]}, {"validationChecks": ["B", "A"]}, 1),
        ({"a": {"b": 1}}, {"a": []}, 1),
    ],
)
def test_what_binds(expected: object, got: object, differences: int) -> None:
    assert len(list(compare(expected, got))) == differences


def test_all_times_move_by_one_amount() -> None:
    before = {"ts": 1734176145000, "created_at": 1734176145, "count": 5, "deep": [{"x": 1734176146000}], "flag": True}
    after = shifted(before, timedelta(days=1))
    assert after == {"ts": 1734262545000, "created_at": 1734262545, "count": 5, "deep": [{"x": 1734262546000}], "flag": True}


def test_the_newest_packet_is_now(tmp_path: Path) -> None:
    for step, ts in ((1, 1734176145000), (2, 1734200000000)):
        (tmp_path / "02-x").mkdir(exist_ok=True)
        content = {"_meta": {"stage": "02-x", "step": step}, "request": {"body": {"RequestInfo": {"ts": ts}}}}
        (tmp_path / "02-x" / f"0{step}-y.json").write_text(json.dumps(content))
    packets = read_packets(tmp_path, NOW)
    assert [p.id for p in packets] == ["02/01", "02/02"]
    assert packets[1].at == NOW
    assert packets[1].at - packets[0].at == timedelta(milliseconds=1734200000000 - 1734176145000)


@pytest.mark.parametrize("content", ["{", "[]", '{"_meta": {}}', '{"_meta": {"stage": "x", "step": 1}}'])
def test_a_file_that_is_no_packet_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "02-x").mkdir()
    (tmp_path / "02-x" / "bad.json").write_text(content)
    with pytest.raises(AppError, match=r"bad\.json"):
        read_packets(tmp_path, NOW)


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        read_packets(tmp_path, NOW)
    assert caught.value.code == "SDCRS_INVALID_REQUEST"


def test_a_ruling_covers_only_what_it_names() -> None:
    differences = list(
        compare({"DogReports": [{"evidence": {"photoUrl": "x"}, "status": "A"}]}, {"DogReports": [{"evidence": [], "status": "B"}]})
    )
    verdict = judge("06/01", "inbox", "200", "200", differences)
    assert verdict.kind == "differs"
    assert [d.path for d in verdict.differences] == ["DogReports[0].status"]


def test_every_packet_of_the_folder_matches_or_names_its_ruling(settings: Settings, packets_folder: Path) -> None:
    verdicts = replay(replace(settings, port=18901, api_port=18902, sandbox_port=18903), packets_folder, False, lambda _: None)
    assert {v.packet: [str(d) for d in v.differences] for v in verdicts if v.kind == "differs"} == {}
    matched = {v.packet for v in verdicts if v.kind == "match"}
    assert {*(f"01/{n:02d}" for n in (1, 2, 3, 4, 5, 7, 8))} <= matched
    assert {v.packet: v.kind for v in verdicts if v.packet in ("01/06", "01/09", "01/10", "01/11", "01/12")} == dict.fromkeys(
        ("01/06", "01/09", "01/10", "01/11", "01/12"), "ruling"
    )
    assert {"02/07", "02/08", "03/04", "04/03", "05/03", "06/05", "10/01"} <= matched
    money = {v.packet: v.kind for v in verdicts if v.packet.split("/")[0] in ("07", "08", "09")}
    files = [path for stage in ("07", "08", "09") for path in packets_folder.glob(f"{stage}-*/*.json")]
    assert len(money) == len(files)
    assert {packet for packet, kind in money.items() if kind != "match"} == {"08/03"}  # the exact bytes are sealed: privacy wins
