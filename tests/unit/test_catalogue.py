"""The catalogue of packets is whole, consistent and documented, and no text in it can become diagram syntax."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.errors import AppError
from pipeline.packets import document
from pipeline.packets.catalogue import (
    FOLDER,
    catalogue,
    for_action,
    for_reason,
    for_room,
    for_template,
    get,
    packets_of,
    participants,
    read,
    stages,
)
from pipeline.packets.diagram import MAX_ARROWS, escape, mermaid
from pipeline.packets.log import PacketHeader, identity_header
from pipeline.packets.personal import with_personal, without_personal
from pipeline.packets.render import RENDERERS
from pipeline.settings import ROOT

PACKETS = ROOT.parent / "shared" / "sdcrs" / "packets"
INDEX_ENTRIES = {"01": 13, "02": 11, "03": 9, "04": 6, "05": 4, "06": 7, "07": 3, "08": 8, "09": 9, "10": 5, "11": 8}  # 83
IDENTITY_MESSAGES = {"21": 4, "22": 5, "23": 6, "24": 8, "25": 7, "26": 4}  # 34
DIAGRAM = ROOT.parent / "shared" / "seeds" / "packet-processing-flow.md"
PERSON = UUID("019a0000-0000-7000-8000-000000000001")


def test_every_entry_of_the_flow_index_is_a_packet() -> None:
    for stage in stages():
        entries = sorted(entry for packet in stage.packets for entry in packet.index)
        assert [int(entry.split()[0]) for entry in entries] == list(range(1, INDEX_ENTRIES[stage.number] + 1)), stage.number
    assert sum(INDEX_ENTRIES.values()) == 83


def test_the_flow_of_a_report_is_counted_alone() -> None:
    assert [stage.number for stage in stages()] == list(INDEX_ENTRIES)
    assert sum(len(packet.index) for packet in packets_of("reports")) == 83
    assert "Registration Client" not in participants()


def test_the_flow_of_an_identity_has_every_message_of_its_diagram_in_order() -> None:
    assert {stage.number: len(stage.packets) for stage in stages("identity")} == IDENTITY_MESSAGES
    assert len(packets_of("identity")) == 34
    assert [packet.index[0].split()[0] for packet in packets_of("identity")] == [f"{packet.step:02d}" for packet in packets_of("identity")]


@pytest.mark.skipif(not DIAGRAM.is_file(), reason="the flow's own diagram is not beside this repository")
def test_senders_and_receivers_are_those_of_the_identity_flows_own_diagram() -> None:
    text = DIAGRAM.read_text(encoding="utf-8")
    names = dict(re.findall(r"participant (\w+) as (.+)", text))
    arrows = [(names[sender], names[receiver]) for sender, receiver in re.findall(r"^\s*(\w+)--?>>(\w+):", text, re.MULTILINE)]
    assert arrows == [(packet.sender, packet.receiver) for packet in packets_of("identity")]
    assert list(participants("identity")) == list(names.values())


def test_what_is_about_no_registration_is_never_written_as_if_it_were() -> None:
    assert [packet.id for packet in packets_of("identity") if packet.table] == ["25/01", "26/02"]
    for packet_id in ("25/01", "02/07", "99/01"):
        with pytest.raises(KeyError):
            identity_header(packet_id, PERSON, "dj", datetime(2026, 3, 10, tzinfo=UTC))
    header = identity_header("23/03", PERSON, "dj", datetime(2026, 3, 10, tzinfo=UTC), correlation_id=PERSON)
    assert (header.subject_kind, header.subject_id, header.key) == ("REGISTRATION", PERSON, str(PERSON))
    assert (header.sender, header.receiver) == ("Identity Service", "Credential Request Generator")


@pytest.mark.skipif(not PACKETS.is_dir(), reason="the packet files are not beside this repository")
def test_every_packet_file_is_in_the_catalogue_under_its_own_name() -> None:
    files = sorted(PACKETS.glob("*/*.json"))
    assert len(files) == 66
    for path in files:
        stage, step = path.parent.name[:2], path.stem[:2]
        packet = get(f"{stage}/{step}")
        assert f"{step}-{packet.name}" == path.stem
        meta = json.loads(path.read_text(encoding="utf-8"))
        topic = meta.get("kafkaMessage", {}).get("topic")
        assert packet.topic == topic or topic is None, path.name


def test_each_packet_has_a_renderer_and_each_renderer_a_packet() -> None:
    assert {packet.renderer for packet in packets_of("reports")} == set(RENDERERS)
    assert {packet.renderer for packet in packets_of("identity")} == {None}


def test_steps_of_a_stage_run_without_gaps() -> None:
    for stage in catalogue().stages:
        assert [packet.step for packet in stage.packets] == list(range(1, len(stage.packets) + 1))
        assert {packet.stage for packet in stage.packets} == {stage.number}


ACTION_ROWS = [
    ("SUBMIT", ["02/09", "02/10", "02/12", "02/13", "03/01"]),
    ("AUTO_VALIDATE_PASS", ["03/08", "02/14"]),
    ("AUTO_VALIDATE_FAIL", ["03/09", "02/14"]),
    ("VERIFY", ["04/03", "02/14"]),
    ("REJECT", ["04/04", "02/14"]),
    ("MARK_DUPLICATE", ["04/05", "02/14"]),
    ("ASSIGN", ["05/03", "02/14"]),
    ("REASSIGN", ["11/06", "02/14"]),
    ("START_FIELD_VISIT", ["06/03", "02/14"]),
    ("MARK_CAPTURED", ["06/05", "02/14"]),
    ("MARK_UNABLE_TO_LOCATE", ["06/06", "02/14"]),
    ("INITIATE_PAYOUT", ["07/01", "07/02", "02/14"]),
    ("RESOLVE_NO_PAYOUT", ["11/02", "02/14"]),
    ("PAYOUT_SUCCESS", ["09/02", "02/14"]),
    ("PAYOUT_FAILED", ["09/05", "02/14"]),
    ("RETRY_PAYOUT", ["09/07", "09/08", "07/01", "02/14"]),
    ("MANUAL_RESOLVE", ["09/09", "02/14"]),
    # an action without a packet of its own still leaves one that says what was done
    ("ESCALATE", ["02/10", "02/14"]),
    ("REOPEN", ["02/10", "02/14"]),
    ("PAYOUT_REVERSED", ["02/10", "02/14"]),
]


@pytest.mark.parametrize(("action", "packets"), ACTION_ROWS)
def test_a_transition_leaves_its_packets_in_order(action: str, packets: list[str]) -> None:
    assert [packet.id for packet in for_action(action)] == packets


def test_a_template_without_a_packet_of_its_own_travels_as_another_message() -> None:
    assert for_template("SDCRS_SUBMIT_TEACHER").id == "02/11"
    assert for_template("SDCRS_AUTO_REJECTED").id == "03/10"
    assert for_template("SDCRS_SOMETHING_NEW").id == "02/15"


def test_edge_cases_are_not_written_every_time() -> None:
    assert [packet.id for packet in for_room("validation")] == ["03/02", "03/03", "03/04", "03/05", "03/06", "03/07"]
    assert for_reason("OUTSIDE_BOUNDARY") is get("11/05")
    assert for_reason("DUPLICATE_IMAGE") is None


def test_a_body_is_stored_only_where_the_packet_crosses_our_border() -> None:
    rows = {"02/07": True, "02/08": False, "02/09": False, "04/03": True, "08/04": True, "08/07": True, "03/06": False, "01/05": True}
    assert {packet: get(packet).body_stored for packet in rows} == rows


BROKEN_ROWS = [
    ("04-verification.json", lambda d: d["packets"][0].update(sender="Nobody"), "04/01.sender", "'Nobody' is not a participant"),
    ("04-verification.json", lambda d: d["packets"][0].update(crosses_border=False), "04/01.crosses_border", "contradicts"),
    ("04-verification.json", lambda d: d["packets"][0].update(kind="letter"), "04/01.kind", "is none of"),
    ("04-verification.json", lambda d: d["packets"][0].update(topic="t"), "04/01.topic", "not both"),
    ("04-verification.json", lambda d: d["packets"][0].update(personal={"name": "name"}), "04/01.personal", "not a path"),
    ("04-verification.json", lambda d: d["packets"][0].update(written_by={"room": "attic"}), "04/01.written_by", "not a room"),
    ("04-verification.json", lambda d: d["packets"][0].update(next=["99/01"]), "04/01.next", "99/01 is not in the catalogue"),
    ("04-verification.json", lambda d: d["packets"][0].update(sender="WebSub"), "04/01.sender", "not a participant of this flow"),
    ("04-verification.json", lambda d: d["packets"][0].pop("renderer"), "04/01.renderer", "for each of them"),
    ("04-verification.json", lambda d: d.update(flow="river"), "flow", "is none of reports, identity"),
    ("04-verification.json", lambda d: d["packets"].append(d["packets"][0]), "04/01", "is there twice"),
    ("actions.json", lambda d: d["VERIFY"].append("99/01"), "VERIFY", "99/01 is not in the catalogue"),
    ("actions.json", lambda d: d.pop("*"), "*", "is missing"),
    ("actions.json", lambda d: d.pop("SUBMIT"), "02/09.written_by", "disagree about the door"),
]


@pytest.mark.parametrize(("file", "damage", "field", "detail"), BROKEN_ROWS)
def test_a_broken_catalogue_is_refused_by_file_and_field(tmp_path: Path, file: str, damage, field: str, detail: str) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "catalogue")
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    damage(content)
    (folder / file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AppError) as refused:
        read(folder)
    assert refused.value.params["field"] == field
    assert detail in refused.value.params["detail"]


def test_the_document_is_current() -> None:
    assert document.TARGET.read_text(encoding="utf-8") == document.text(), "run make docs"


# Diagrams --------------------------------------------------------------------------------------------------------------


def header(packet: str, sender: str, receiver: str) -> PacketHeader:
    return PacketHeader(packet, 1, sender, receiver, None, "dj", "REPORT", PERSON, None)  # type: ignore[arg-type]


def test_a_trace_is_drawn_with_stages_and_arrows_by_kind() -> None:
    drawn = mermaid([header(p.id, p.sender, p.receiver) for p in (get("02/07"), get("02/08"), get("02/09"), get("03/02"))])
    assert drawn.splitlines() == [
        "sequenceDiagram",
        "    participant p0 as Teacher app",
        "    participant p1 as SDCRS",
        "    participant p2 as Persister",
        "    participant p3 as Validator",
        "    Note over p0,p3: 02 Teacher submits a report",
        "    p0->>p1: 02/07 Report is sent",
        "    p1-->>p0: 02/08 Report is accepted, with number and tracking id",
        "    p1-)p2: 02/09 New report for the persister",
        "    Note over p0,p3: 03 Automatic validation",
        "    p3->>p3: 03/02 Place in the photo against place of the phone",
    ]


def test_no_text_becomes_diagram_syntax() -> None:
    assert escape("a; end\n#35; <b> %% p0->>p1: x") == "a#59; end #35;35#59; #60;b#62; #37;#37; p0-#62;#62;p1#58; x"
    drawn = mermaid([header("xx\n    p0->>p0: y", "A\nB", "C; D")])
    assert len(drawn.splitlines()) == 4
    assert escape("क्ष" * 60).endswith("…")


def test_a_very_long_trace_is_cut_and_says_so() -> None:
    drawn = mermaid([header("02/07", "Teacher app", "SDCRS")] * (MAX_ARROWS + 5))
    assert "5 more packets are not drawn" in drawn
    assert mermaid([]) == "sequenceDiagram\n"


# Personal values --------------------------------------------------------------------------------------------------------


def test_a_stored_body_holds_references_and_no_secret() -> None:
    body = {
        "RequestInfo": {"msgId": "1", "authToken": "t0ken", "userInfo": {"name": "Sentinel", "mobileNumber": "1", "userName": "T1"}},
        "DogReports": [{"description": "text", "_remark": "x", "reporterName": "Sentinel", "reporterPhone": None}],
    }
    stored = without_personal("02/07", body, {"*": PERSON})
    assert "Sentinel" not in json.dumps(stored)
    assert "t0ken" not in json.dumps(stored)
    assert stored["DogReports"] == [
        {"description": "text", "reporterName": {"$person": str(PERSON), "field": "name"}, "reporterPhone": None}
    ]
    assert body["RequestInfo"]["authToken"] == "t0ken", "the body given is left as it was"
    shown = with_personal(stored, lambda person, kind: f"{kind} of {person[-1]}")
    assert shown["DogReports"][0]["reporterName"] == "name of 1"


def test_both_halves_of_an_exchange_are_cleaned() -> None:
    body = {"request": {"DogReports": [{"reporterName": "Sentinel"}]}, "response": {"DogReports": [{"reporterName": "Sentinel"}]}}
    assert "Sentinel" not in json.dumps(without_personal("04/03", body, {}))


def test_a_value_of_nobody_known_is_shown_to_nobody() -> None:
    stored = without_personal("02/08", {"DogReports": [{"reporterName": "Sentinel"}]}, {})
    assert with_personal(stored, lambda person, kind: "found") == {"DogReports": [{"reporterName": None}]}


def test_what_people_type_is_never_taken_for_a_reference() -> None:
    typed = {"DogReports": [{"description": f"$person {PERSON} name"}]}
    assert with_personal(without_personal("02/07", typed, {}), lambda person, kind: "leak") == typed
