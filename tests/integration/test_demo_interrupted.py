"""A demo load that is interrupted anywhere is finished by the next one, as if nothing had happened."""

from itertools import count

import pytest
from sqlalchemy import text

from pipeline.demo import stage
from pipeline.demo.cast import VILLE
from pipeline.demo.payday import Payday
from pipeline.demo.run import load_demo, unfinished
from pipeline.demo.stage import Stage
from pipeline.reports.assignment import officers

REPORTS = 120


class PulledPlugError(Exception):
    """Stands for a kill: nothing in the product catches it."""


def fails_at(number, method):
    """The method, but its call of this number pulls the plug before it does anything."""
    calls = count(1)

    def called(*args, **kwargs):
        if next(calls) == number:
            raise PulledPlugError
        return method(*args, **kwargs)

    return called


def test_a_load_interrupted_three_times_ends_like_an_undisturbed_one(rt, monkeypatch):
    monkeypatch.setattr(stage, "BATCH", 40)
    for owner, name, number in ((Stage, "_validate", 2), (Stage, "_act_together", 9), (Payday, "_pay", 25), (Payday, "_hear", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fails_at(number, getattr(owner, name)))
            with pytest.raises(PulledPlugError):
                load_demo(rt, REPORTS, 5)
        assert unfinished(rt) is not None
    summary = load_demo(rt, 999, 6)  # what was asked for at first counts
    assert summary.note is None
    assert summary.reports == REPORTS
    assert unfinished(rt) is None
    with rt.database.worker() as conn:
        one = lambda statement: conn.execute(text(statement)).scalar_one()  # noqa: E731
        captures = one("SELECT count(*) FROM sdcrs.evidence WHERE evidence_type = 'CAPTURE_PHOTO'")
        assert summary.photos == 2 * REPORTS + captures
        assert one("SELECT count(*) FROM sdcrs.report WHERE status IN ('PENDING_VALIDATION', 'CAPTURED')") == 0
        assert one("SELECT count(*) FROM payout.attempt WHERE phase <> 'ACCEPTED'") == 0
        assert one("SELECT count(*) FROM payout.webhook_event WHERE outcome IS NULL") == 0
        assert one("SELECT count(DISTINCT report_id) FROM payout.payout") == one("SELECT count(*) FROM payout.payout")
        assert one("SELECT count(*) FROM access.account") == summary.accounts
        assert one("SELECT value FROM sandbox.setting WHERE name = 'clock'") == {"offset_seconds": 0}
        assert one("SELECT value FROM sandbox.setting WHERE name = 'switches'")["delay_seconds"] < 60
        assert [o.load for o in officers(conn, VILLE)] == [3, 5, 8]
    assert load_demo(rt, REPORTS, 5).note
