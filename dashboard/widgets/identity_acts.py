"""What an admin may do in the identity flow, by name: the commands of the registration side and the remedies of the credential side.

Each takes one subject and a reason; a trial is the same command rolled back. This table is all that the page knows of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.access.policy import Operation
from pipeline.identity.checks import Remedy
from pipeline.identity.idrepo.store import ask_for
from pipeline.identity.remedies import ACTS as REMEDIES
from pipeline.identity.remedies import Act
from pipeline.identity.stages import actions
from pipeline.runtime import Runtime


@dataclass(frozen=True)
class Deed:
    """One command. `verb`: what the button says; `done`: what became of a subject; `operation`: who may."""

    code: str
    verb: str
    done: str
    act: Callable[[Runtime], Act]
    operation: Operation
    icon: str


def _always(act: Act) -> Callable[[Runtime], Act]:
    """A command that needs nothing of the runtime."""
    return lambda _: act


_REGISTRATION = (
    ("RESUME", "Resume", "goes on where it stopped", actions.resume, ":material/play_arrow:"),
    ("RESTART", "Begin anew", "begins anew with its first stage", actions.restart, ":material/restart_alt:"),
    ("PAUSE", "Pause", "is held until somebody resumes it", actions.pause, ":material/pause:"),
    ("STOP", "Reject", "is rejected for good", actions.stop, ":material/block:"),
)
_CREDENTIAL: tuple[tuple[Remedy, str, str], ...] = (
    ("ASK_AGAIN", "Ask again", "is asked for again, under the same request id"),
    ("ISSUE_AGAIN", "Issue again", "is issued again, as a new issuance of the same request"),
    ("PUBLISH_AGAIN", "Publish again", "is published again if it did not arrive"),
    ("DELIVER_AGAIN", "Deliver again", "is delivered again"),
    ("STORE_AGAIN", "Store again", "is tried again by the authentication side"),
    ("SAY_AGAIN", "Say again", "is said to the issuer again"),
)
DEEDS: Mapping[str, Deed] = {
    **{code: Deed(code, verb, done, _always(act), "act_on_registration", icon) for code, verb, done, act, icon in _REGISTRATION},
    **{code: Deed(code, verb, done, _always(REMEDIES[code]), "retry_credential", ":material/replay:") for code, verb, done in _CREDENTIAL},
    "REQUEST": Deed("REQUEST", "Ask for it", "is asked for", ask_for, "retry_credential", ":material/add:"),
}

# What may be done in which queue, the likeliest first; the command itself has the last word
OF_QUEUE: Mapping[str, tuple[str, ...]] = {
    "FAILED": ("RESTART", "RESUME", "STOP"),
    "PAUSED": ("RESUME", "RESTART", "STOP"),
    "STAGES": ("PAUSE", "RESTART", "STOP"),
}
# The same by the status of one registration
OF_STATUS: Mapping[str, tuple[str, ...]] = {
    "PROCESSING": ("PAUSE", "RESTART", "STOP"),
    "RESUMABLE": ("PAUSE", "RESTART", "STOP"),
    "REPROCESS": ("PAUSE", "RESTART", "STOP"),
    "PAUSED": ("RESUME", "RESTART", "STOP"),
    "PAUSED_FOR_ADDITIONAL_INFO": ("RESTART", "STOP"),
    "FAILED": ("RESTART", "STOP"),
    "REPROCESS_FAILED": ("RESUME", "RESTART", "STOP"),
}
