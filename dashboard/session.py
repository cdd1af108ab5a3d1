"""Who is at the other end of a browser tab. The cookie is read in one function here and nowhere else.

The cookie of a tab is fixed when its connection opens, so what counts is the session row, read again at every rerun, in
every fragment and in every callback: a person who was signed out elsewhere is out at the next click.
"""

from collections.abc import Mapping

import streamlit as st

from pipeline.access.caller import Caller
from pipeline.access.sessions import read_session
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.settings import Settings


def token_from(cookies: Mapping[str, str], settings: Settings) -> str | None:
    """The session token among a request's cookies, or None."""
    return next((cookies[name] for name in settings.session_cookies if cookies.get(name)), None)


def read_cookie(settings: Settings) -> str | None:
    """The session token of this tab, or None. Tests without a browser replace this function."""
    return token_from(st.context.cookies, settings)


def current_caller(runtime: Runtime) -> Caller:
    """The signed-in person as the session row says at this moment. Raises SDCRS_NOT_SIGNED_IN.

    A tab that was opened by one person is never continued as another: what it shows and holds belongs to the first.
    """
    caller = read_session(runtime, read_cookie(runtime.settings))
    owner = st.session_state.setdefault("shell.account", caller.account_id)
    if owner != caller.account_id:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    return caller
