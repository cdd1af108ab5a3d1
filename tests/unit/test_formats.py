from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import formats

KOLKATA = ZoneInfo("Asia/Kolkata")
DJIBOUTI = ZoneInfo("Africa/Djibouti")
NOON = datetime(2026, 8, 14, 9, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paise", "written"),
    [
        (0, "₹0"),
        (50, "₹0.50"),
        (500_00, "₹500"),
        (999_99, "₹999.99"),
        (1000_00, "₹1,000"),
        (1_23_456_00, "₹1,23,456"),
        (1_23_45_678_00, "₹1,23,45,678"),
        (100_00_00_000_00, "₹1,00,00,00,000"),
        (-500_00, "-₹500"),
        (None, "–"),
    ],
)
def test_rupees_are_grouped_the_indian_way(paise, written):
    assert formats.inr(paise) == written


@pytest.mark.parametrize(
    ("paise", "written"),
    [
        (500_00, "₹500"),
        (99_999_00, "₹99,999"),
        (1_00_000_00, "₹1 lakh"),
        (1_50_000_00, "₹1.50 lakh"),
        (99_99_000_00, "₹99.99 lakh"),
        (99_99_999_00, "₹1 Cr"),
        (1_23_00_000_00, "₹1.23 Cr"),
        (12_34_56_00_000_00, "₹1,234.56 Cr"),
        (-1_50_000_00, "-₹1.50 lakh"),
        (None, "–"),
    ],
)
def test_short_rupees_tell_lakh_and_crore_and_never_a_small_amount_as_nothing(paise, written):
    assert formats.inr_short(paise) == written


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_grouping_loses_no_digit(number):
    assert int(formats.count(number).replace(",", "")) == number


@pytest.mark.parametrize(
    ("at", "zone", "written"),
    [
        (NOON, KOLKATA, "14 Aug 2026, 3:05 pm"),
        (NOON, DJIBOUTI, "14 Aug 2026, 12:35 pm"),
        (datetime(2026, 8, 14, 18, 30, tzinfo=UTC), KOLKATA, "15 Aug 2026, 12:00 am"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), DJIBOUTI, "2 Jan 2026, 6:04 am"),
        (None, KOLKATA, "–"),
    ],
)
def test_times_are_written_in_the_tenants_zone(at, zone, written):
    assert formats.local_time(at, zone) == written


def test_the_zone_can_be_named():
    assert formats.local_time_zoned(NOON, KOLKATA) == "14 Aug 2026, 3:05 pm IST"


@pytest.mark.parametrize(
    ("seconds_before", "written"),
    [
        (0, "just now"),
        (45, "45 s ago"),
        (61, "1 min ago"),
        (3599, "59 min ago"),
        (2 * 3600, "2 h ago"),
        (47 * 3600, "47 h ago"),
        (49 * 3600, "2 days ago"),
        (-90 * 60, "in 1 h"),
    ],
)
def test_ages_are_told_in_their_largest_unit(seconds_before, written):
    assert formats.ago(NOON - timedelta(seconds=seconds_before), NOON) == written


def test_a_share_of_nothing_is_not_zero_percent():
    assert formats.percent(0, 0) == "–"
    assert formats.percent(1, 3) == "33.3 %"


@pytest.mark.parametrize(("metres", "written"), [(None, "–"), (39.6, "40 m"), (999.4, "999 m"), (2345.0, "2.3 km")])
def test_distances(metres, written):
    assert formats.distance(metres) == written


def test_an_unknown_state_is_shown_as_it_is():
    assert formats.status_label("PENDING_VERIFICATION") == "To verify"
    assert formats.status_label("BRAND_NEW") == "BRAND_NEW"


def test_a_closed_report_reads_as_resolved():
    assert formats.status_label("CLOSED") == formats.status_label("RESOLVED")


def test_roles_are_told_in_a_fixed_order():
    assert formats.roles_label(frozenset({"SENIOR_VERIFIER", "VERIFIER"})) == "Verifier, Senior verifier"


@pytest.mark.parametrize(("value", "written"), [("9876543210", "98••••••10"), ("abc", "••••••"), ("", "••••••"), (None, "–")])
def test_masked_values_show_only_their_ends(value, written):
    assert formats.masked(value) == written


@given(st.text(min_size=1))
def test_a_persons_text_cannot_become_markdown(text):
    escaped = formats.plain_markdown(text)
    assert escaped.replace("\\\\", "").count("[") == escaped.replace("\\\\", "").count("\\[")
