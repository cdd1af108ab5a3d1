"""Where the embedded server lives and as whom it runs. Makes folders and passwords; starts nothing.

As an ordinary user everything is in DATA_DIR/postgres. As root, Postgres refuses to run, so it runs as an unprivileged
account, which must reach its folder: below DATA_DIR where the folders above let it pass, else in /var/lib/sdcrs. Folders
that we did not make keep their permissions.
"""

import hashlib
import json
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import AppError

ELSEWHERE = Path("/var/lib/sdcrs")  # root only: clusters that cannot live in DATA_DIR, and copied binaries
ACCOUNT = "sdcrs"
FALLBACK_ACCOUNT = "nobody"  # where no account can be made; it may be shared with others, so `sdcrs` is preferred
PASSWORD_BYTES = 24  # 192 random bits: nothing to guess, and safe in a URL as hexadecimal
COMMAND_TIMEOUT_S = 30  # useradd and the probes answer at once; a hanging name service must not hang us


@dataclass(frozen=True)
class Account:
    """An unprivileged account of the machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Secrets:
    """The cluster's identity and the passwords of its two logins, from DATA_DIR/keys."""

    cluster_id: str
    owner: str = field(repr=False)
    login: str = field(repr=False)


@dataclass(frozen=True)
class Place:
    """One embedded server's folder: ours, with locks, port and log; the cluster inside belongs to the account."""

    folder: Path
    secrets: Secrets
    account: Account | None  # None: the server runs as ourselves

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def port_file(self) -> Path:
        return self.folder / "port"


def not_started(detail: str) -> AppError:
    """The error of everything that keeps the embedded server from running."""
    return AppError("SDCRS_DATABASE_NOT_STARTED", detail=detail)


def locate(data_dir: Path, progress: Callable[[str], None]) -> Place:
    """Find or choose the folder, the account and the passwords. Raises SDCRS_DATABASE_NOT_STARTED saying what is in the way."""
    try:
        return _locate(data_dir, progress)
    except PermissionError as error:
        raise not_started(
            f"{error.filename} cannot be used by this user. Run as its owner or set DATA_DIR to a folder of your own."
        ) from error
    except OSError as error:
        raise not_started(f"{error.filename}: {error.strerror}") from error


def _locate(data_dir: Path, progress: Callable[[str], None]) -> Place:
    inside = data_dir / "postgres"
    _make_folder(data_dir)
    _make_folder(inside)
    keys = _read_or_make_secrets(data_dir / "keys" / "database.json", cluster_exists=(inside / "cluster").exists())
    if os.geteuid() != 0:
        if (inside / "cluster").exists() and (inside / "cluster").stat().st_uid != os.geteuid():
            raise not_started(f"{inside / 'cluster'} belongs to another user. Run as that user or set DATA_DIR to a folder of your own.")
        return Place(inside, keys, None)
    return _locate_as_root(data_dir, inside, keys, progress)


def _locate_as_root(data_dir: Path, inside: Path, keys: Secrets, progress: Callable[[str], None]) -> Place:
    """An existing cluster keeps its folder and its account; a new one goes below DATA_DIR when the account can reach that."""
    cluster = inside / "cluster"
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        account = _account_of(owner)
        if not reaches(account, inside):
            raise not_started(
                f"user {account.name}, who owns {cluster}, cannot reach it any more. Let others pass the folders above it (chmod o+x)."
            )
        return Place(inside, keys, account)
    account = _unprivileged_account(progress)
    name = f"{hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]}-{keys.cluster_id}"
    earlier = list(ELSEWHERE.glob(f"*-{keys.cluster_id}"))
    if any(path.name != name for path in earlier):
        # DATA_DIR was moved or copied: a silent new cluster would look like lost data, sharing one would mix two installations
        raise not_started(
            f"the database of this DATA_DIR is {earlier[0]}, made for another path. Move it to {ELSEWHERE / name} or use the old path."
        )
    if not earlier and reaches(account, inside):
        return Place(inside, keys, account)
    folder = ELSEWHERE / name
    _make_folder(ELSEWHERE)
    if not folder.exists():
        progress(f"User {account.name} cannot reach {data_dir}; the database lives in {folder}")
    _make_folder(folder)
    return Place(folder, keys, account)


def reaches(account: Account, folder: Path) -> bool:
    """Whether the account can enter the folder, asked of the kernel itself: modes alone do not tell (ACLs, mounts)."""
    return run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0


def run_as(account: Account | None, command: list[str], *, timeout_s: float = COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run a command as the account (None: ourselves), with nothing of our environment and away from our folder."""
    try:
        return subprocess.run(  # noqa: PLW1510 - the caller reads the return code
            command,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            umask=0o077,
            cwd="/",
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except PermissionError as error:
        # the program itself cannot be reached by the account, or this root may not become another user
        return subprocess.CompletedProcess(command, 126, "", str(error))
    except subprocess.TimeoutExpired as error:
        raise not_started(f"{Path(command[0]).name} did not end within {timeout_s:.0f} s") from error


def server_environment() -> dict[str, str]:
    """What the server's programs need: no settings of ours (they hold keys), no PG… variables, messages in English."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **kept}


def _make_folder(path: Path) -> None:
    """Make the folder when missing: others may pass through it but not list it. An existing one is left as it is."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return  # made by another process at this moment
    path.chmod(0o711)  # whatever the umask says: the account must pass


def _read_or_make_secrets(path: Path, *, cluster_exists: bool) -> Secrets:
    if not path.exists():
        if cluster_exists:
            raise not_started(
                f"the database exists but its passwords, {path}, are gone. Restore that file, or remove DATA_DIR to start anew."
            )
        _write_secrets(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Secrets(str(content["cluster_id"]), str(content["owner"]), str(content["login"]))
    except (ValueError, KeyError, TypeError) as error:
        raise not_started(f"{path} is damaged. Restore it, or remove DATA_DIR to start anew.") from error


def _write_secrets(path: Path) -> None:
    """Written before the cluster exists and linked into place whole: of two first starts, one file wins for both."""
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, exist_ok=True)
    content = {
        "cluster_id": secrets.token_hex(4),
        "owner": secrets.token_hex(PASSWORD_BYTES),
        "login": secrets.token_hex(PASSWORD_BYTES),
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass  # the other process's passwords stand
    finally:
        temporary.unlink(missing_ok=True)


def _account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, uid)  # made on another machine or in another container; the number suffices to run
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _named_account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return None if entry.pw_uid == 0 else Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _unprivileged_account(progress: Callable[[str], None]) -> Account:
    """The account `sdcrs`, made when missing; `nobody` where none can be made."""
    if found := _named_account(ACCOUNT):
        return found
    if useradd := shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        progress(f"Postgres does not run as root: making the system user {ACCOUNT} for it")
        run_as(None, [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", ACCOUNT])
    # asked again whatever useradd said: another process may have made the account at the same moment
    account = _named_account(ACCOUNT) or _named_account(FALLBACK_ACCOUNT)
    if account is None:
        raise not_started(
            f"Postgres does not run as root, and neither {ACCOUNT} nor {FALLBACK_ACCOUNT} exists. Make a system user {ACCOUNT}."
        )
    return account
