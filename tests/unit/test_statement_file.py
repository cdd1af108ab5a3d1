"""Account statements as files: what banks and spreadsheets make of them is read, and what cannot be read is named by line and column."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import AppError
from pipeline.payouts import statement_file
from pipeline.payouts.statement_file import read_statement

ACCOUNT = "7878780080316316"
HEAD = "id,created_at,account_number,credit,debit,balance,entity,payout_id,utr,fees"
ROW = f"txn_1,2026-03-06T09:00:00+05:30,{ACCOUNT},,505.90,994.10,payout,pout_1,606500000001,5.90"


def read(*lines: str) -> statement_file.Statement:
    return read_statement("march.csv", "\n".join(lines).encode(), ACCOUNT)


def refused(*lines: str) -> dict[str, object]:
    with pytest.raises(AppError) as caught:
        read(*lines)
    assert caught.value.code == "SDCRS_STATEMENT_UNREADABLE"
    return caught.value.params


def test_a_line_is_read_in_paise_and_utc():
    (line,) = read(HEAD, ROW).lines
    assert (line.id, line.at) == ("txn_1", datetime(2026, 3, 6, 3, 30, tzinfo=UTC))
    assert (line.credit_paise, line.debit_paise, line.balance_paise, line.fees_paise) == (0, 50_590, 99_410, 590)
    assert (line.entity, line.payout_id, line.utr, line.amount_paise) == ("payout", "pout_1", "606500000001", None)


def test_titles_above_the_headings_other_columns_and_other_delimiters_do_not_matter():
    found = read(
        "Statement of account;;;", ";;;", "Date;Narration;Debit (paise);Credit (paise);UTR", "06/03/2026;UPI/SDCRS;50590;;6065", ""
    )
    (line,) = found.lines
    assert (line.debit_paise, line.at, line.id) == (50_590, datetime(2026, 3, 5, 18, 30, tzinfo=UTC), "line 4")
    assert line.utr == "000000006065", "spreadsheets drop the zeros in front"
    assert found.covers.until - found.covers.since == timedelta(days=1), "a date without a time is a whole day"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("2026-03-06 14:05:00", datetime(2026, 3, 6, 8, 35, tzinfo=UTC)),
        ("2026-03-06T14:05:00Z", datetime(2026, 3, 6, 14, 5, tzinfo=UTC)),
        ("06/03/2026 14:05", datetime(2026, 3, 6, 8, 35, tzinfo=UTC)),
        ("6-3-2026 14:05:09", datetime(2026, 3, 6, 8, 35, 9, tzinfo=UTC)),
        ("1772785500", datetime(2026, 3, 6, 8, 25, tzinfo=UTC)),
    ],
)
def test_dates_are_day_first_or_iso_or_unix_and_indian_where_they_do_not_say(word, expected):
    (line,) = read(HEAD, ROW.replace("2026-03-06T09:00:00+05:30", word)).lines
    assert line.at == expected


# what stands in the file, the line, the column and a part of the sentence
WRONG = [
    ([HEAD, ROW.replace("505.90", "five")], 2, "debit", "five is no amount"),
    ([HEAD, ROW.replace("505.90", "505.905")], 2, "debit", "at most two decimals"),
    ([HEAD, ROW.replace("505.90", "-5")], 2, "debit", "below zero"),
    ([HEAD, ROW.replace("505.90", "NaN")], 2, "debit", "NaN is no amount"),
    ([HEAD, ROW, ROW.replace("txn_1,2026-03-06T09:00:00+05:30", "txn_2,soon")], 3, "created_at", "soon is no date"),
    ([HEAD, ROW.replace("2026-03-06T09:00:00+05:30", "32/03/2026")], 2, "created_at", "32/03/2026 is no date"),
    ([HEAD, ROW.replace(ACCOUNT, "1")], 2, "account_number", "another account"),
    ([HEAD, ROW.replace(",,505.90", ",1.00,505.90")], 2, "debit", "either a credit or a debit"),
    ([HEAD, ROW.replace("505.90", "")], 2, "debit", "either a credit or a debit"),
    ([HEAD, ROW, ROW], 3, "id", "txn_1 stands in the file twice"),
    ([HEAD, ROW.replace("pout_1", "pout_\x00")], 2, "payout_id", "cannot be printed"),
    (["created_at,debit,credit", "2026-03-06,1,"], 1, "-", "no column says which payout"),
    (["name,amount", "a,1"], 1, "-", "no line with the headings"),
    ([HEAD], 1, "-", "no line below"),
    ([HEAD, ROW.replace("payout,", '"pay"out,')], 2, "-", "not well-formed CSV"),
]


@pytest.mark.parametrize(("lines", "line", "column", "detail"), WRONG, ids=[case[3] for case in WRONG])
def test_what_cannot_be_read_is_named_by_line_and_column(lines, line, column, detail):
    found = refused(*lines)
    assert (found["fileName"], found["line"], found["column"]) == ("march.csv", line, column)
    assert detail in str(found["detail"])


def test_a_file_in_another_encoding_is_named():
    with pytest.raises(AppError, match="line 2, column -: neither UTF-8 text nor an XLSX file"):
        read_statement("a.csv", f"{HEAD}\nL\xe4n,".encode("latin-1"), ACCOUNT)


def sheet(rows: Sequence[Sequence[str | float]]) -> bytes:
    """The smallest workbook that a spreadsheet program would open."""

    def cell(column: int, row: int, value: str | float) -> str:
        name = f"{chr(65 + column)}{row}"
        if isinstance(value, str):
            return f'<c r="{name}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{name}"><v>{value}</v></c>'

    lines = "".join(
        f'<row r="{number}">{"".join(cell(column, number, value) for column, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
        if row
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + content)
    return made.getvalue()


TITLES = ("id", "created_at", "credit", "debit", "balance", "payout_id", "utr")


def test_a_workbook_says_the_same_as_the_text_and_its_numbers_keep_their_paise():
    made = sheet([[], ["Account statement"], TITLES, ["txn_1", "2026-03-06 14:05:00", "", 505.9, 994.1, "pout_1", 606500000001]])
    (line,) = read_statement("march.xlsx", made, ACCOUNT).lines
    assert (line.debit_paise, line.balance_paise, line.utr) == (50_590, 99_410, "606500000001")
    assert line.at == datetime(2026, 3, 6, 8, 35, tzinfo=UTC)


def test_a_workbook_names_line_and_column_too():
    with pytest.raises(AppError, match=r"march\.xlsx, line 3, column debit: x is no amount"):
        read_statement("march.xlsx", sheet([[], TITLES, ["txn_1", "2026-03-06", "", "x", 1, "pout_1", ""]]), ACCOUNT)


@pytest.mark.parametrize("data", [b"PK\x03\x04nonsense", b"PK"])
def test_a_broken_workbook_is_refused(data):
    with pytest.raises(AppError, match="no XLSX file that can be read"):
        read_statement("march.xlsx", data, ACCOUNT)


def test_a_workbook_that_would_unpack_to_more_than_memory_is_refused_before_it_is(monkeypatch):
    monkeypatch.setattr(statement_file, "MAX_UNPACKED", 100)
    with pytest.raises(AppError) as caught:
        read_statement("march.xlsx", sheet([TITLES]), ACCOUNT)
    assert caught.value.code == "SDCRS_FILE_TOO_LARGE"


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(statement_file, "MAX_BYTES", 10)
    with pytest.raises(AppError) as caught:
        read(HEAD, ROW)
    assert caught.value.code == "SDCRS_FILE_TOO_LARGE"
