"""Becomes a command that is asked to end when its supervisor dies, however it dies. Imports nothing of ours.

Run by its path, since it must cost only a few milliseconds: `python -I -S child.py SUPERVISOR_PID COMMAND …`. The wish
survives the exec. (A hook between fork and exec would do the same, but is unsafe in a process with threads.)
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> int:
    """Replace this process by the command; returns only when the supervisor is already gone."""
    supervisor, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":  # elsewhere the command outlives a killed supervisor, and the next start says which port it holds
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == supervisor:  # else it died before the wish was heard
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
