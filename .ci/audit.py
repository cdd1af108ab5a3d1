"""Known weaknesses of the locked packages, and secrets in the sources: ends with 1 when there is any.

Where the advisories cannot be reached it says so and lets the check go on: the packages are locked, and another run will see.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ".ci/secrets.json"  # what looks like a secret and is none: names of settings, keys of the sandbox and of tests
LOOK_S = 120
LINES_MOVED = 3  # what the hook ends with when it only wants to note new line numbers


def main() -> int:
    """Run both; the exit code of the check."""
    return max(_weaknesses(), _secrets())


def _weaknesses() -> int:
    command = [sys.executable, "-m", "pip_audit", "-r", "requirements.lock", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LOOK_S, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("Known weaknesses: the advisories could not be asked.")
        return 0
    weak = [(one["name"], one["version"], found["id"]) for one in packages for found in one.get("vulns", ())]
    unknown = sum("skip_reason" in one for one in packages)
    for name, version, weakness in weak:
        print(f"{name} {version}: {weakness}")
    print(f"Known weaknesses: {len(weak)} in {len(packages) - unknown} packages; {unknown} could not be looked up.")
    return 1 if weak else 0


def _secrets() -> int:
    try:
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=LOOK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        print("Secrets in the sources: not looked for, since this is no clone.")
        return 0
    looked = [name for name in files.split("\0") if name and not name.endswith((".lock", ".png", ".jpg", ".svg", BASELINE))]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(ROOT / BASELINE, folder)  # it is written anew when lines have moved, and a check changes nothing
        command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", str(copy), *looked]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LOOK_S * 3, check=False)
    clean = done.returncode in (0, LINES_MOVED)
    print("Secrets in the sources: none." if clean else done.stdout + done.stderr)
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
