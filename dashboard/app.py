"""The console as an ASGI application: Streamlit's pages, our own sign-in routes, and the gate before both.

`python -m streamlit run dashboard/app.py` starts it alone; `python -m pipeline up` starts it beside the API and the worker.
"""

import gc
import importlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # `streamlit run` puts only this folder on the path
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
from starlette.concurrency import run_in_threadpool  # noqa: E402

from dashboard import console  # noqa: E402
from dashboard.backend import BACKEND  # noqa: E402
from dashboard.routes import middleware, routes  # noqa: E402
from pipeline.settings import load  # noqa: E402


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Open the runtime in the background, import every page, and keep what is imported out of garbage collection.

    Streamlit collects after every rerun while it holds the interpreter; with these libraries frozen a rerun takes less
    than half the time.
    """
    BACKEND.start(load())
    # Streamlit warns that a component is declared outside a page run; `register` below makes up for that
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    for spec in console.PAGES:
        importlib.import_module(spec.view)
    importlib.import_module("dashboard.widgets.map").register()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        await run_in_threadpool(BACKEND.stop)


app = st.App(
    Path(__file__).with_name("script.py"),
    routes=routes(),
    middleware=middleware(),
    lifespan=lifespan,
    on_script_error=console.on_script_error,
)
