"""What is written to the log: lines for a person, or, with LOG_FORMAT=json, one object a line for a collector.

No line holds a personal value: rooms log kinds, counts and references. A line written while a request is carried out carries its id,
the one that the client got as X-Correlation-Id.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

STEPS = 12  # of a trace: the deepest tell where it was
TEXT = "%(levelname)s %(name)s: %(message)s"
# What a record of the library has by itself; anything else was given to it as `extra`
KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_request: ContextVar[str | None] = ContextVar("request", default=None)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request id, and what was given beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _request.get() is not None:
            line["requestId"] = _request.get()
        line |= {name: value for name, value in vars(record).items() if name not in KNOWN}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # neither its message nor source lines, which may hold persons' values
            steps = traceback.extract_tb(record.exc_info[2])[-STEPS:]
            line["trace"] = [f"{step.filename.rpartition('/')[2]}:{step.lineno} {step.name}" for step in steps]
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(*, as_json: bool) -> None:
    """Send everything from INFO on to stderr. Replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):  # the server has set up its own before our app is made
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


@contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """For the length of the block, in this thread, lines carry the request's id."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)
