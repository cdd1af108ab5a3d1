"""The bench of the identity flow, at a hundredth of its size: every registration that it counts is really stored."""

from pathlib import Path

import pytest

from pipeline.bench.identity import Flow, Plan, run
from pipeline.cli.bench import tended
from pipeline.errors import AppError
from pipeline.settings import Settings


@pytest.fixture(scope="module")
def flows(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[Flow]:
    plan = Plan(registrations=6, in_flight=500, singly=2, workers=1)
    folder: Path = tmp_path_factory.mktemp("bench") / "house"
    try:
        return list(run(settings, tended, folder, plan, lambda _: None))
    except AppError as error:
        pytest.fail(str(error))


def test_every_registration_is_stored_alone_together_and_among_others(flows: list[Flow]) -> None:
    assert [(flow.registrations, flow.credentials) for flow in flows] == [(2, 4), (6, 12), (6, 12)]
    assert all(flow.rate > 0 and flow.cpu_s["clients"] > 0 for flow in flows)


def test_the_figures_are_told_as_text_and_as_data(flows: list[Flow]) -> None:
    assert flows[2].title == "500 others in flight"
    assert "6 registrations with 12 credentials" in "\n".join(flows[1].as_text())
    assert flows[1].as_data()["perSecond"] == round(flows[1].rate, 2)
