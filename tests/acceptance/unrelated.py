"""Other people's npm packages in a temporary folder, with a driver of ours beside them. Nothing of them is kept or shipped."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

INSTALL_S = 180  # small packages and what they need, over a slow line
DRIVE_S = 60  # some calls on loopback
NO_WAY_THERE = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "ENETUNREACH")


def installed(folder: Path, driver: Path, *packages: str) -> Path:
    """The folder with the packages and the driver. Skips the test, saying why, without Node or a way to the packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node 18 or later with npm: other people's packages are written for it")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", *packages]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode and any(word in done.stderr for word in NO_WAY_THERE):
        pytest.skip(f"needs a way to npm's {' and '.join(packages)}")
    assert done.returncode == 0, done.stderr
    shutil.copy(driver, folder)
    return folder


def driven(folder: Path, driver: str, given: Any) -> Any:
    """Run the driver with a JSON value and return the one that it prints."""
    done = subprocess.run(
        ["node", driver], cwd=folder, input=json.dumps(given), capture_output=True, text=True, timeout=DRIVE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
