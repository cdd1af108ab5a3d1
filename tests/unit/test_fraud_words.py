"""What the fraud page and the inbox say, in words that need no code to be known."""

import pytest

from dashboard.widgets import checks, fraud_graph, fraud_network, pairs
from dashboard.widgets import fraud_words as words
from dashboard.widgets.fraud_graph import Link, Node
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.master import MasterData


@pytest.fixture(scope="module")
def masterdata() -> MasterData:
    return MasterData(read_folder())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("evidences[*].metadata.gpsLatitude", "Place of any photo"),
        ("evidences[purpose=DOG_PHOTO].metadata.timestamp", "Time of the dog photo"),
        ("evidences[purpose=SELFIE].fileStoreId", "File of the selfie"),
        ("createdTime", "Time of the report"),
    ],
)
def test_what_a_rule_looks_at_is_said_in_words(path, said):
    assert words.path(path) == said


def test_values_of_a_rule_are_words_and_not_codes(masterdata: MasterData):
    kinds = {str(code): said for code, said in masterdata.risk_config("dj").category_descriptions.items()}
    assert words.value("category", "DQ", kinds) == kinds["DQ"]
    assert words.value("ruleType", "EXTERNAL") == "an outside service"
    assert words.value("action.type", "AUTO_REJECT") == "Reject the report"


def test_rules_have_names_by_their_ids(masterdata: MasterData):
    names = words.rule_names(masterdata, "dj.djibouti-ville")
    assert names["STD-003"] == "Many reports in an hour"
    assert len(names) == 39


@pytest.mark.parametrize(
    ("similarity", "said"),
    [(0.94, "Photo 94 % alike, 120 m away, 35 min apart"), (0.75, "Photo 75 % alike"), (0.5, "Another photo, 120 m away, 35 min apart")],
)
def test_photos_that_share_no_more_than_chance_gives_are_not_called_alike(similarity, said):
    assert pairs.words({"similarity": similarity, "metres": 120.0, "minutes": 35}).startswith(said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("points", "score", "said"),
    [
        ((30, 10), 40, "30 + 10 = 40. Up to"),
        ((26.25, 6.25), 33, "26.25 + 6.25 = 32.5, rounded 33. Up to"),
        ((60, 50), 100, "60 + 50 = 110, at most 100. Up to"),
    ],
)
def test_a_score_that_is_rounded_or_capped_says_so(points, score, said, masterdata: MasterData):
    fired = [{"score": one} for one in points]
    assert checks._sum(fired, score, masterdata.risk_config("dj")).startswith(said)  # type: ignore[arg-type]


def pair(earlier: str, later: str) -> dict[str, str]:
    return {"earlier_reporter_id": earlier, "later_reporter_id": later}


def test_teachers_whose_reports_met_once_are_not_linked_and_the_order_of_two_does_not_matter():
    links = fraud_network._between([pair("a", "b"), pair("a", "c"), pair("c", "a")], "near", 2)  # type: ignore[list-item]
    assert [(link.one, link.other, link.weight, link.kind) for link in links] == [("t:a", "t:c", 2, "near")]


def test_the_graph_fills_its_picture_and_no_two_nodes_are_in_one_place():
    nodes = [Node(str(n), str(n), "teacher") for n in range(12)]
    at = fraud_graph.positions(nodes, [Link("0", str(n), 1) for n in range(1, 12)])
    assert len(set(at.values())) == 12
    for axis in (0, 1):
        assert max(abs(place[axis]) for place in at.values()) == pytest.approx(1)


def test_parts_that_are_not_connected_stand_apart_and_inside_the_picture():
    nodes = [Node(name, name, "teacher") for name in "abcdefgh"]
    at = fraud_graph.positions(nodes, [Link(one, other, 1, "near") for one, other in ("ab", "bc", "cd", "ef", "gh")])
    assert max(at[name][0] for name in "abcd") < min(at[name][0] for name in "efgh")
    assert max(at[name][1] for name in "gh") < min(at[name][1] for name in "ef")
    assert all(-1 <= value <= 1 for place in at.values() for value in place)


def test_names_are_written_where_they_overlap_no_other():
    nodes = [Node(f"t:{n}", f"A teacher's name {n}", "teacher") for n in range(30)]
    links = [Link("t:0", f"t:{n}", 1, "near") for n in range(1, 30)]
    names = [name for trace in fraud_graph.figure(nodes, links).data for name in (trace.text or ()) if name]
    assert "A teacher's name 0" in names
    assert len(names) < 30
