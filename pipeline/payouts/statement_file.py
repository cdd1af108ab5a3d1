"""An account statement from a file, CSV or XLSX, as lines to be compared. Reads bytes, no disk; an error names line and column.

The columns are those of RazorpayX's transactions, by their names in any order and with any others between: what the API calls
`id`, `created_at`, `credit`, `debit`, `balance`, and of the source its id, entity, utr, amount and fees. Amounts are rupees
with at most two decimals, or whole paise where the heading ends with `paise`. Lines above the headings are left out.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from python_calamine import CalamineError, CalamineWorkbook

from pipeline.errors import AppError
from pipeline.payouts.compared import Line, Window

MAX_BYTES = 200_000_000  # a million lines as CSV have about 150 MB
MAX_LINES = 2_000_000  # as many payouts as one run compares
MAX_UNPACKED = 1_000_000_000  # of an XLSX: a full sheet of a million lines has about half of it; more is a trap
HEADINGS_WITHIN = 30  # lines: banks put name, address and period above the table
CELL_MAX = 500  # characters; no field of a statement is longer
ZONE = ZoneInfo("Asia/Kolkata")  # the account's banks write Indian time where a date has no zone of its own
UTR_DIGITS = 12  # of UPI; spreadsheets drop the zeros in front

# field -> the headings under which it comes, in lower case with _ between words
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "transaction_id", "txn_id"),
    "at": ("created_at", "transaction_date", "date", "value_date"),
    "credit": ("credit", "credit_amount", "deposit"),
    "debit": ("debit", "debit_amount", "withdrawal"),
    "balance": ("balance", "closing_balance", "running_balance"),
    "entity": ("source_entity", "source_type", "entity", "transaction_type", "type"),
    "source_id": ("source_id", "entity_id"),
    "payout_id": ("payout_id", "source_payout_id"),
    "reference_id": ("reference_id", "payout_reference_id"),
    "utr": ("utr", "source_utr", "bank_reference", "rrn"),
    "amount": ("source_amount", "payout_amount"),
    "fees": ("fees", "source_fees"),
    "fund_account_id": ("fund_account_id", "source_fund_account_id"),
    "account": ("account_number",),
}
NEEDED = ("at", "credit", "debit")
NAMING = ("payout_id", "source_id", "reference_id", "utr")  # one of them says which payout a line is about

_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_UNIX = re.compile(r"\d{9,10}")


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines of a file and the time that they cover."""

    lines: list[Line]
    covers: Window


def read_statement(name: str, data: bytes, account_number: str) -> Statement:
    """The lines of a CSV or XLSX file. Raises SDCRS_STATEMENT_UNREADABLE, which names line and column, and SDCRS_FILE_TOO_LARGE."""
    if len(data) > MAX_BYTES:
        raise AppError("SDCRS_FILE_TOO_LARGE", maxMegabytes=MAX_BYTES // 1_000_000)
    reader = _Reader(name, account_number)
    rows = _sheet_rows(name, data) if data[:2] == b"PK" else _text_rows(name, data)
    lines = list(reader.lines(rows))
    if not lines:
        raise unreadable(name, 1, None, "the file has no line below its headings")
    last = max(line.at for line in lines)
    step = timedelta(seconds=1) if reader.timed else timedelta(days=1)
    return Statement(lines, Window(min(line.at for line in lines), last + step))


def unreadable(name: str, line: int, column: str | None, detail: str) -> AppError:
    """The one error of a file's content."""
    return AppError("SDCRS_STATEMENT_UNREADABLE", fileName=name[:100], line=line, column=column or "-", detail=detail)


class _Reader:
    """Finds the headings, then reads each row by them."""

    def __init__(self, name: str, account_number: str) -> None:
        self._name = name
        self._account = account_number
        self._at: dict[str, int] = {}  # field -> its column
        self._paise: set[str] = set()
        self._titles: list[str] = []
        self.timed = False  # some line has a time of day

    def lines(self, rows: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[Line]:
        seen: set[str] = set()
        count = 0
        for number, row in rows:
            if not self._at:
                if number > HEADINGS_WITHIN:
                    break
                self._headings(number, row)
                continue
            if not any(_text(cell) for cell in row):
                continue
            count += 1
            if count > MAX_LINES:
                raise unreadable(self._name, number, None, f"more than {MAX_LINES} lines; give a shorter time")
            line = self._line(number, row)
            if line.id in seen:
                raise unreadable(self._name, number, self._title("id"), f"{line.id[:60]} stands in the file twice")
            seen.add(line.id)
            yield line
        if not self._at:
            raise unreadable(self._name, 1, None, "no line with the headings created_at, credit and debit among the first 30")

    def _headings(self, number: int, row: Sequence[Any]) -> None:
        titles = [_heading(cell) for cell in row]
        found: dict[str, int] = {}
        paise: set[str] = set()
        for name, headings in COLUMNS.items():
            for column, title in enumerate(titles):
                in_paise = title.removesuffix("_in_paise").removesuffix("_paise")
                if in_paise in headings and name not in found:
                    found[name] = column
                    if in_paise != title:
                        paise.add(name)
        if not all(name in found for name in NEEDED):
            return
        if not any(name in found for name in NAMING):
            raise unreadable(
                self._name, number, None, "no column says which payout a line is about (payout_id, source_id, reference_id or utr)"
            )
        self._at, self._paise, self._titles = found, paise, [_text(cell) for cell in row]

    def _line(self, number: int, row: Sequence[Any]) -> Line:
        cells = {name: row[column] if column < len(row) else None for name, column in self._at.items()}
        texts = {name: self._word(number, name, value) for name, value in cells.items() if name not in ("at", *_MONEY)}
        if texts.get("account") and texts["account"] != self._account:
            raise unreadable(self._name, number, self._title("account"), "this is a statement of another account")
        money = {name: self._money(number, name, cells.get(name)) for name in _MONEY}
        credit, debit = money["credit"] or 0, money["debit"] or 0
        if (credit > 0) == (debit > 0):
            raise unreadable(self._name, number, self._title("debit"), "a line has either a credit or a debit")
        source = texts.get("source_id")
        entity = (texts.get("entity") or "").casefold() or None
        payout_id = texts.get("payout_id") or (source if source and source.startswith("pout_") else None)
        utr = texts.get("utr")
        return Line(
            id=texts.get("id") or f"line {number}",
            at=self._time(number, cells["at"]),
            credit_paise=credit,
            debit_paise=debit,
            balance_paise=money["balance"],
            entity=entity,
            payout_id=payout_id,
            reference_id=texts.get("reference_id"),
            utr=utr.zfill(UTR_DIGITS) if utr and utr.isdecimal() else utr,
            amount_paise=money["amount"] if payout_id else None,
            fees_paise=money["fees"] or 0,
            fund_account_id=texts.get("fund_account_id"),
            tenant_id=None,
        )

    def _title(self, name: str) -> str | None:
        return self._titles[self._at[name]] if name in self._at else None

    def _word(self, number: int, name: str, value: Any) -> str | None:
        word = _text(value)
        if len(word) > CELL_MAX or not word.isprintable():
            raise unreadable(self._name, number, self._title(name), f"more than {CELL_MAX} characters, or some that cannot be printed")
        return None if word.casefold() in ("", "-", "na", "null", "none") else word.removeprefix("'")

    def _money(self, number: int, name: str, value: Any) -> int | None:
        """Paise; None where the cell is empty."""
        word = self._word(number, name, value)
        if word is None:
            return None
        try:
            amount = Decimal(word.replace(",", "").removeprefix("₹").removeprefix("Rs.").strip())
        except InvalidOperation:
            amount = Decimal("NaN")
        paise = amount if name in self._paise else amount * 100
        if not paise.is_finite() or paise != paise.to_integral_value() or abs(paise) > 10**15:
            unit = "whole paise" if name in self._paise else "rupees with at most two decimals"
            raise unreadable(self._name, number, self._title(name), f"{word[:40]} is no amount in {unit}")
        if paise < 0 and name != "balance":
            raise unreadable(self._name, number, self._title(name), f"{word[:40]} is below zero")
        return int(paise)

    def _time(self, number: int, value: Any) -> datetime:
        try:
            return self._moment(value)
        except (ValueError, OverflowError):
            shown = _text(value)[:40] or "an empty cell"
            detail = f"{shown} is no date; write 2026-03-31 14:05:00, 31/03/2026 14:05 or Unix seconds"
            raise unreadable(self._name, number, self._title("at"), detail) from None

    def _moment(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            at = value
        elif isinstance(value, date):
            at = datetime(value.year, value.month, value.day, tzinfo=ZONE)
        else:
            at = self._parse(_text(value))
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZONE)
        self.timed = self.timed or (at.hour, at.minute, at.second) != (0, 0, 0)
        return at.astimezone(UTC)

    def _parse(self, word: str) -> datetime:
        if _UNIX.fullmatch(word):
            return datetime.fromtimestamp(int(word), UTC)
        first = _DAY_FIRST.fullmatch(word)
        if first is None:
            return datetime.fromisoformat(word)
        day, month, year, hour, minute, second = (int(part or 0) for part in first.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=ZONE)


_MONEY = ("credit", "debit", "balance", "amount", "fees")


def _heading(cell: Any) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _text(cell).casefold()).strip("_")


def _text(cell: Any) -> str:
    """A cell as text; a whole number that a spreadsheet keeps as a float loses its `.0`."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _text_rows(name: str, data: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(name, line, None, "neither UTF-8 text nor an XLSX file; save it as one of them") from None
    first = content[:10_000]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise unreadable(name, reader.line_num, None, f"not well-formed CSV: {error}") from None


def _sheet_rows(name: str, data: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows of the first sheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise AppError("SDCRS_FILE_TOO_LARGE", maxMegabytes=MAX_UNPACKED // 1_000_000)
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            yield from enumerate(book.get_sheet_by_index(0).iter_rows(), start=1)
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise unreadable(name, 1, None, f"no XLSX file that can be read: {str(error)[:100]}") from None
