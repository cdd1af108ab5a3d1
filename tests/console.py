"""The console without a browser: a person's session is real, only the reading of the cookie is replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard import session
from dashboard.backend import BACKEND, Health
from pipeline.access.caller import Caller
from pipeline.access.sessions import open_session
from pipeline.runtime import Runtime

SCRIPT = Path(__file__).resolve().parent.parent / "dashboard" / "script.py"
RUN_TIMEOUT_S = 30  # the first page imports Plotly and folium on a busy machine


def token_for(rt: Runtime, caller: Caller) -> str:
    """A new console session of this person."""
    with rt.database.worker() as conn:
        return open_session(rt, conn, caller.account_id, caller.tenant_id, sorted(caller.roles), "CONSOLE", rt.clock.now()).token


@contextmanager
def tab(rt: Runtime, token: str | None, path: str = "", health: Health | None = None, **query: str) -> Iterator[AppTest]:
    """A browser tab with this session, before its first run; `path` is a page's address such as inbox.

    Use `tab.run()`, and assert `not tab.exception` after each run: an error of the page is raised there.
    """
    with mock.patch.object(session, "read_cookie", return_value=token), BACKEND.adopted(rt, health or Health()):
        test = AppTest.from_file(SCRIPT, default_timeout=RUN_TIMEOUT_S)
        test._page_hash = calc_hash(path) if path else ""  # AppTest itself can only name pages that are files
        for name, value in query.items():
            test.query_params[name] = value
        yield test


def shown(test: AppTest) -> str:
    """All HTML, markdown, messages and texts of the page, for asserting what is and what is not on it."""
    elements = [*test.get("html"), *test.markdown, *test.success, *test.error, *test.warning, *test.info, *test.text, *test.caption]
    return "\n".join(str(getattr(element, "value", None) or element.proto) for element in elements)
