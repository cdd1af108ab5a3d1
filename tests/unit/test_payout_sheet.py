"""Files for spreadsheets: what is in them is what was given, and nothing in them runs."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from dashboard.widgets.payout_sheet import csv_file, harmless, xlsx_file

AT = datetime(2026, 3, 10, 7, 5, tzinfo=UTC).astimezone(ZoneInfo("Africa/Djibouti"))
TITLES = ("Report", "Amount", "Created", "Comment")
LINES = [
    ("DR-1", Decimal("500.5"), AT, '=HYPERLINK("http://x","y")'),
    ("DR-2", Decimal(-3), None, "अमीना <b>&\x07 done"),
]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text):
    assert harmless(text) == f"'{text}"
    assert harmless(f"a{text}") == f"a{text}"


def test_a_csv_has_numbers_as_numbers_and_local_times():
    data = csv_file(TITLES, LINES)
    assert data.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(data.decode("utf-8-sig")))) == [
        list(TITLES),
        ["DR-1", "500.5", "2026-03-10 10:05", '\'=HYPERLINK("http://x","y")'],
        ["DR-2", "-3", "", "अमीना <b>&\x07 done"],
    ]


def test_an_xlsx_opens_with_the_same_content():
    book = CalamineWorkbook.from_filelike(io.BytesIO(xlsx_file("Payouts", TITLES, LINES)))
    assert book.sheet_names == ["Payouts"]
    titles, first, second = book.get_sheet_by_name("Payouts").to_python()
    assert titles == list(TITLES)
    assert first[:2] == ["DR-1", 500.5]
    assert f"{first[2]:%Y-%m-%d %H:%M}" == "2026-03-10 10:05"
    assert first[3].startswith("'=HYPERLINK")
    assert second == ["DR-2", -3, "", "अमीना <b>& done"]
