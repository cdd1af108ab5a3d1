"""What became of each item of a command, kept from the callback to the next run and shown until it is dismissed."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import formats


@dataclass(frozen=True)
class Result:
    """One item: what a person calls it, whether it was done, and the sentence about it."""

    name: str
    done: bool
    sentence: str


def keep(page: str, done: str, results: Sequence[Result]) -> None:
    """Keep the results of one command; `done` is the word for success, such as "assigned"."""
    st.session_state[f"{page}.outcomes"] = (done, tuple(results))


def show(page: str) -> None:
    """The results of the last command, each item with its own sentence; nothing when there are none."""
    kept: tuple[str, tuple[Result, ...]] | None = st.session_state.get(f"{page}.outcomes")
    if kept is None:
        return
    word, results = kept
    failed = [one for one in results if not one.done]
    total = len(results)
    head = f"{results[0].name}: {results[0].sentence}" if total == 1 else f"{total - len(failed)} of {total} {word}."
    left, right = st.columns([12, 1], vertical_alignment="center")
    with left:
        if not failed:
            st.success(formats.plain_markdown(head), icon=":material/check_circle:")
        elif len(failed) == total:
            st.error(formats.plain_markdown(head), icon=":material/error:")
        else:
            st.warning(formats.plain_markdown(head), icon=":material/warning:")
    right.button("Dismiss", key=f"{page}.outcomes_dismiss", icon=":material/close:", type="tertiary", on_click=_forget, args=(page,))
    if total > 1:
        with st.expander("Result of each", expanded=bool(failed)):
            ordered = sorted(results, key=lambda one: one.done)
            st.markdown("\n".join(f"- **{formats.plain_markdown(one.name)}** {formats.plain_markdown(one.sentence)}" for one in ordered))


def _forget(page: str) -> None:
    st.session_state.pop(f"{page}.outcomes", None)
