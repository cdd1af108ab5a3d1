"""The embedded server against real processes, killed one by one and all at once."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import psycopg
import pytest

from pipeline import settings as settings_module
from pipeline.clock import SystemClock
from pipeline.database import server_install, server_place
from pipeline.database.connect import open_database, urls
from pipeline.database.engine import psycopg_url
from pipeline.database.migrate import migrate
from pipeline.database.server import EmbeddedServer
from pipeline.database.server_process import find_postmaster, server_processes
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.settings import ROOT
from tests.production import PRODUCTION

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")

HOLDER = """
import sys
from pathlib import Path
from pipeline.database.server import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1]), fsync=False).hold() as urls:
    print(urls.app, flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_data_dir() -> Iterator[Path]:
    """A folder that any account of the machine can reach, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="sdcrs-test-"))
    folder.chmod(0o755)
    try:
        yield folder / "data"
        for process in server_processes(folder / "data" / "postgres" / "cluster"):
            raise AssertionError(f"left running: {process}")
    finally:
        for process in server_processes(folder / "data" / "postgres" / "cluster"):
            process.kill()
        shutil.rmtree(folder)


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    """A data folder before its first start."""
    with a_data_dir() as folder:
        yield folder


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with a_data_dir() as folder:
        with a_server(folder).hold():
            pass
        yield folder


@contextmanager
def a_copy(made: Path) -> Iterator[Path]:
    """A used data folder of one's own: a copy, which is faster than a first start."""
    with a_data_dir() as folder:
        subprocess.run(["cp", "-a", str(made), str(folder)], check=True)
        yield folder


@pytest.fixture
def data_dir(made: Path) -> Iterator[Path]:
    """A used data folder for tests that damage it."""
    with a_copy(made) as folder:
        yield folder


@pytest.fixture
def shared_dir(made: Path) -> Iterator[Path]:
    """A used data folder for tests that leave it as it was, but for what they wrote down."""
    yield made
    assert server_processes(cluster_of(made)) == []
    with a_server(made).hold() as found, sign_in(found.owner) as conn:
        conn.execute("DROP TABLE IF EXISTS public.kept")


def a_server(data_dir: Path) -> EmbeddedServer:
    return EmbeddedServer(data_dir, fsync=False)


def cluster_of(data_dir: Path) -> Path:
    return data_dir / "postgres" / "cluster"


def postmaster_of(data_dir: Path) -> psutil.Process | None:
    found = find_postmaster(cluster_of(data_dir))
    return None if found is None else found.process


@dataclass
class Holder:
    """Another process that holds the server."""

    process: subprocess.Popen[str]

    def wait_ready(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("postgresql"), "the holder did not get the server"
        return line

    def leave(self) -> None:
        self.process.communicate(timeout=30)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def a_holder(data_dir: Path) -> Holder:
    command = [sys.executable, "-c", HOLDER, str(data_dir)]
    return Holder(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))


def sign_in(url: str) -> psycopg.Connection:
    return psycopg.connect(psycopg_url(url), autocommit=True)


def ask(url: str, statement: str) -> tuple:
    with sign_in(url) as conn:
        return conn.execute(statement).fetchone()


def write_down(found: Urls, word: str) -> None:
    with sign_in(found.owner) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS public.kept (word text)")
        conn.execute("INSERT INTO public.kept VALUES (%s)", (word,))


def kept(found: Urls) -> list[str]:
    with sign_in(found.owner) as conn:
        return [word for (word,) in conn.execute("SELECT word FROM public.kept ORDER BY 1")]


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


# what it is


def test_database_is_utf8_in_c_order_and_the_login_is_no_superuser(shared_dir: Path) -> None:
    with a_server(shared_dir).hold() as found:
        question = "SELECT datname, pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()"
        assert ask(found.app, question) == ("sdcrs", "UTF8", "C", "C")
        login = "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert ask(found.app, login) == ("sdcrs_login", False, False, False, False, False)
        assert found.login == "sdcrs_login"
        assert (
            ask(found.owner, "SELECT current_user, pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sdcrs'")
            == ("sdcrs_owner",) * 2
        )
        assert ask(found.admin, "SELECT current_database()") == ("postgres",)
        assert ask(found.app, "SELECT current_setting('jit'), current_setting('listen_addresses')") == ("off", "127.0.0.1")
        assert "sdcrs_login" not in repr(found)


def test_nobody_signs_in_without_the_password_and_passwords_are_for_their_owner_alone(empty_dir: Path) -> None:
    with a_server(empty_dir).hold() as found:
        for stranger in ("password=guess", "password=''"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(
                    f"host=127.0.0.1 port={find_postmaster(cluster_of(empty_dir)).port} dbname=sdcrs user=sdcrs_owner {stranger}"
                )
        assert ask(found.owner, "SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'") == (2,)
    assert stat.S_IMODE((empty_dir / "keys" / "database.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((empty_dir / "keys").stat().st_mode) == 0o700


def test_second_start_takes_less_than_one_and_a_half_seconds_and_keeps_the_port(shared_dir: Path) -> None:
    with a_server(shared_dir).hold() as found:
        first = found.app
    began = time.monotonic()
    with a_server(shared_dir).hold() as found:
        assert time.monotonic() - began < 1.5
        assert found.app == first


def test_first_start_says_what_it_does(empty_dir: Path) -> None:
    said: list[str] = []
    with a_server(empty_dir).hold(said.append):
        assert "Making the database (once)" in said
        assert "Starting the database" in said
        said.clear()
        with a_server(empty_dir).hold(said.append):
            assert said == []


def test_fsync_is_on_unless_a_test_turns_it_off(shared_dir: Path) -> None:
    with EmbeddedServer(shared_dir).hold() as found:
        assert ask(found.app, "SELECT current_setting('fsync'), current_setting('full_page_writes')") == ("on", "on")
    with EmbeddedServer(shared_dir, fsync=False).hold() as found:
        assert ask(found.app, "SELECT current_setting('fsync')") == ("off",)


# who holds it


def test_processes_that_start_at_once_share_one_server_and_the_last_stops_it(empty_dir: Path) -> None:
    holders = [a_holder(empty_dir) for _ in range(3)]
    assert len({holder.wait_ready() for holder in holders}) == 1
    server = postmaster_of(empty_dir)
    for holder in holders:
        assert server is not None
        assert server.is_running()
        holder.leave()
    assert postmaster_of(empty_dir) is None
    assert server_processes(cluster_of(empty_dir)) == []


def test_inner_hold_of_the_same_process_does_not_stop_the_server(shared_dir: Path) -> None:
    with a_server(shared_dir).hold() as found:
        with a_server(shared_dir).hold() as again:
            assert again == found
        assert ask(found.app, "SELECT 1") == (1,)
    assert postmaster_of(shared_dir) is None


def test_forked_child_that_unwinds_the_block_leaves_the_server_alone(shared_dir: Path) -> None:
    fork_and_unwind = HOLDER.replace(
        "    sys.stdin.read()", "    import os; child = os.fork()\n    if child: os.waitpid(child, 0); sys.stdin.read()"
    )
    command = [sys.executable, "-c", fork_and_unwind, str(shared_dir)]
    holder = Holder(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    url = holder.wait_ready()
    process = psutil.Process(holder.process.pid)
    assert eventually(lambda: not process.children())
    assert ask(url, "SELECT 1") == (1,)
    holder.leave()
    assert postmaster_of(shared_dir) is None


def test_several_data_folders_run_at_once(shared_dir: Path) -> None:
    with a_data_dir() as other, a_server(shared_dir).hold() as one, a_server(other).hold() as two:
        write_down(one, "one")
        write_down(two, "two")
        assert (kept(one), kept(two)) == (["one"], ["two"])
        with pytest.raises(psycopg.OperationalError):
            sign_in(one.app.replace(one.app.split("@")[1], two.app.split("@")[1]))


# who is killed


def test_killed_holder_leaves_a_server_that_the_next_one_adopts_and_stops(shared_dir: Path) -> None:
    holder = a_holder(shared_dir)
    url = holder.wait_ready()
    server = postmaster_of(shared_dir)
    holder.kill()
    assert ask(url, "SELECT 1") == (1,)
    with a_server(shared_dir).hold() as found:
        assert found.app == url
        assert postmaster_of(shared_dir) == server
    assert postmaster_of(shared_dir) is None


def test_killed_server_is_started_again_by_its_holder_on_the_same_port(shared_dir: Path) -> None:
    said: list[str] = []
    with a_server(shared_dir).hold(said.append) as found:
        write_down(found, "before")
        server = postmaster_of(shared_dir)
        assert server is not None
        server.kill()
        assert eventually(lambda: postmaster_of(shared_dir) not in (None, server))
        assert eventually(lambda: any("runs again" in line for line in said))
        assert kept(found) == ["before"]
    assert postmaster_of(shared_dir) is None


def test_everything_killed_at_once_recovers_what_was_committed(shared_dir: Path) -> None:
    for round_ in range(2):
        holders = [a_holder(shared_dir), a_holder(shared_dir)]
        for holder in holders:
            holder.wait_ready()
        with a_server(shared_dir).hold() as found:
            write_down(found, f"round {round_}")
            everything = server_processes(cluster_of(shared_dir))
            assert len(everything) > 3
            for holder in holders:
                holder.kill()
            for process in everything:
                with suppress(psutil.NoSuchProcess):  # a session ended by itself
                    process.kill()
        with a_server(shared_dir).hold() as found:
            assert kept(found) == [f"round {number}" for number in range(round_ + 1)]


def test_session_that_still_computes_after_its_postmaster_was_killed_is_ended_first(shared_dir: Path) -> None:
    holder = a_holder(shared_dir)
    url = holder.wait_ready()
    with closing(psycopg.connect(psycopg_url(url))) as conn:
        conn.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b")
        session = psutil.Process(conn.info.backend_pid)
        holder.kill()
        server = postmaster_of(shared_dir)
        assert server is not None
        server.kill()
        assert session.is_running()
        with a_server(shared_dir).hold() as found:
            assert not session.is_running() or session.status() == psutil.STATUS_ZOMBIE
            assert ask(found.app, "SELECT 1") == (1,)


def test_holder_that_comes_while_the_server_stops_waits_and_starts_it_again(shared_dir: Path) -> None:
    holder = a_holder(shared_dir)
    holder.wait_ready()
    holder.kill()
    server = postmaster_of(shared_dir)
    assert server is not None
    server.send_signal(signal.SIGINT)
    with a_server(shared_dir).hold() as found:
        assert ask(found.app, "SELECT 1") == (1,)
        assert postmaster_of(shared_dir) != server


def test_first_start_killed_at_any_moment_leaves_nothing_in_the_way(empty_dir: Path) -> None:
    for delay_s in (0.25, 0.45, 0.65, 0.85):  # from importing to the finished start
        holder = a_holder(empty_dir)
        time.sleep(delay_s)
        holder.kill()
    with a_server(empty_dir).hold() as found:
        assert ask(found.app, "SELECT current_user") == ("sdcrs_login",)
    assert not list((empty_dir / "postgres").glob("making-*"))


# what lies about


def test_pid_file_of_a_zombie_or_a_stranger_is_stale(shared_dir: Path) -> None:
    with a_server(shared_dir).hold() as found:
        write_down(found, "kept")
    pid_file = cluster_of(shared_dir) / "postmaster.pid"
    with a_copy(shared_dir) as other, a_server(other).hold():
        stranger = postmaster_of(other)
        assert stranger is not None
        with subprocess.Popen(["/bin/true"]) as zombie:
            assert eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
            # a zombie, ourselves, another cluster's server, a number that nobody has, and no number at all
            for content in (zombie.pid, os.getpid(), stranger.pid, 4_194_304 * 2, "damaged"):
                pid_file.write_text(f"{content}\n{cluster_of(shared_dir)}\n1700000000\n5432\n\n127.0.0.1\n\nready   \n")
                with a_server(shared_dir).hold() as found:
                    assert kept(found) == ["kept"]
                assert not pid_file.exists()
        assert stranger.is_running()


def test_port_taken_by_another_program_is_left_to_it(shared_dir: Path) -> None:
    with a_copy(shared_dir) as other:  # with the same port stored
        with a_server(other).hold() as neighbour, a_server(shared_dir).hold() as found:
            assert ask(neighbour.app, "SELECT current_setting('port')") != ask(found.app, "SELECT current_setting('port')")
        with a_server(other).hold() as again:
            assert again == neighbour


def test_copied_data_folder_gets_a_server_of_its_own(data_dir: Path) -> None:
    with a_server(data_dir).hold() as found:
        write_down(found, "original")
    with a_copy(data_dir) as other, a_server(data_dir).hold() as original, a_server(other).hold() as copy:
        write_down(copy, "copy")
        assert kept(original) == ["original"]
        assert kept(copy) == ["copy", "original"]


def test_lost_passwords_and_another_major_version_are_refused_in_a_sentence(data_dir: Path) -> None:
    with a_server(data_dir).hold():
        pass
    passwords = data_dir / "keys" / "database.json"
    content = json.loads(passwords.read_text())
    passwords.unlink()
    with pytest.raises(AppError, match="are gone"), a_server(data_dir).hold():
        pass
    passwords.write_text("{}")
    with pytest.raises(AppError, match="is damaged"), a_server(data_dir).hold():
        pass
    passwords.write_text(json.dumps(content))
    version = cluster_of(data_dir) / "PG_VERSION"
    version.write_text("15\n")
    with pytest.raises(AppError, match=r"was made by Postgres 15"), a_server(data_dir).hold():
        pass
    version.write_text("18\n")
    (cluster_of(data_dir) / "postgresql.conf").write_text("no_such_setting = on\n")
    with pytest.raises(AppError, match=r"server\.log"), a_server(data_dir).hold():
        pass


def test_remove_deletes_a_server_that_nobody_holds(data_dir: Path) -> None:
    with a_server(data_dir).hold() as found:
        write_down(found, "word")
        with pytest.raises(AppError, match="in use"):
            a_server(data_dir).remove()
        assert kept(found) == ["word"]
    a_server(data_dir).remove()
    assert not (data_dir / "postgres").exists()
    with a_server(data_dir).hold() as found:
        assert ask(found.owner, "SELECT to_regclass('public.kept')") == (None,)


# as root


@as_root
def test_as_root_the_server_runs_unprivileged_and_foreign_folders_keep_their_modes(shared_dir: Path) -> None:
    with a_server(shared_dir).hold() as found:
        server = postmaster_of(shared_dir)
        assert server is not None
        assert server.uids().real != 0
        assert server.gids().real != 0
        assert {uid for process in server_processes(cluster_of(shared_dir)) for uid in process.uids()} == {server.uids().real}
        assert "RAZORPAYX_KEY_SECRET" not in server.environ()
        assert ask(found.owner, "SELECT current_setting('data_directory')") == (str(cluster_of(shared_dir)),)
    assert stat.S_IMODE(shared_dir.parent.stat().st_mode) == 0o755


@as_root
def test_as_root_a_data_folder_out_of_reach_has_its_cluster_elsewhere(empty_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = empty_dir.parent / "elsewhere"
    monkeypatch.setattr(server_place, "ELSEWHERE", elsewhere)
    locked = empty_dir.parent / "locked"
    locked.mkdir(mode=0o700)
    hidden = locked / "data"
    said: list[str] = []
    with a_server(hidden).hold(said.append) as found:
        write_down(found, "out of reach")
        assert any("cannot reach" in line for line in said)
    assert stat.S_IMODE(locked.stat().st_mode) == 0o700
    assert len(list(elsewhere.glob("*/cluster"))) == 1
    with a_server(hidden).hold() as found:
        assert kept(found) == ["out of reach"]

    hidden.rename(locked / "moved")
    with pytest.raises(AppError, match="made for another path"), a_server(locked / "moved").hold():
        pass
    (locked / "moved").rename(hidden)
    a_server(hidden).remove()
    assert list(elsewhere.iterdir()) == []
    with a_server(hidden).hold() as found:
        assert ask(found.owner, "SELECT to_regclass('public.kept')") == (None,)


@as_root
def test_as_root_a_data_folder_removed_by_hand_starts_anew(empty_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_place, "ELSEWHERE", empty_dir.parent / "elsewhere")
    locked = empty_dir.parent / "locked"
    locked.mkdir(mode=0o700)
    with a_server(locked / "data").hold() as found:
        write_down(found, "old")
    shutil.rmtree(locked / "data")
    with a_server(locked / "data").hold() as found:
        assert ask(found.owner, "SELECT to_regclass('public.kept')") == (None,)


@as_root
def test_as_root_programs_out_of_reach_are_copied_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(next(iter(server_install.find_spec(server_install.PACKAGE).submodule_search_locations)))
    elsewhere = data_dir.parent / "elsewhere"
    monkeypatch.setattr(server_install, "ELSEWHERE", elsewhere)
    usable = server_install._usable
    monkeypatch.setattr(server_install, "_usable", lambda account, folder: folder.parent.parent != package and usable(account, folder))
    said: list[str] = []
    with a_server(data_dir).hold(said.append):
        server = postmaster_of(data_dir)
        assert server is not None
        assert Path(server.exe()).is_relative_to(elsewhere)
    with a_server(data_dir).hold(said.append) as found:
        assert ask(found.app, "SELECT 1") == (1,)
    assert len([line for line in said if "copying" in line]) == 1


# how commands reach it


def test_database_opens_once_it_is_migrated_and_says_so_before(data_dir: Path) -> None:
    settings = replace(settings_module.load({"DATA_DIR": str(data_dir)}), embedded_fsync=False)
    with urls(settings) as found:
        assert found.embedded
        with pytest.raises(AppError, match="SDCRS_NOT_MIGRATED"), open_database(settings):
            pass
        report = migrate(found.owner, found.login, SystemClock())
        with open_database(settings, pool_size=2) as database:
            assert database.role_prefix == report.role_prefix
            with database.begin(["dj.djibouti-ville"]) as conn:
                assert conn.exec_driver_sql("SELECT current_user, session_user").one() == (f"{report.role_prefix}_app", "sdcrs_login")
    assert postmaster_of(data_dir) is None


def test_external_addresses_are_used_as_they_are_and_start_nothing(empty_dir: Path) -> None:
    told = {"DATA_DIR": str(empty_dir), "DATABASE_URL": "postgres://login:secret@db.example:5432/live?sslmode=require"}
    with urls(settings_module.load(told)) as found:
        assert found.app == "postgresql+psycopg://login:secret@db.example:5432/live?sslmode=require"
        assert not found.embedded
        with pytest.raises(AppError, match="DATABASE_OWNER_URL"):
            _ = found.owner
    told["DATABASE_OWNER_URL"] = "postgresql://owner:secret@db.example/live"
    with urls(settings_module.load(told)) as found:
        assert found.owner == found.admin == "postgresql+psycopg://owner:secret@db.example/live"
        assert found.for_database("copy").app.endswith("@db.example:5432/copy?sslmode=require")
        assert found.for_database("copy").owner.endswith("@db.example/copy")
    assert not empty_dir.exists()
    del told["DATABASE_URL"]
    with pytest.raises(AppError, match="DATABASE_URL"), urls(settings_module.load(told)):
        pass
    with pytest.raises(AppError, match="EMBEDDED_FSYNC"):
        settings_module.load({**PRODUCTION, "EMBEDDED_FSYNC": "off"})


def test_unreachable_external_database_is_down_not_broken(empty_dir: Path) -> None:
    told = {"DATA_DIR": str(empty_dir), "DATABASE_URL": "postgresql://login:secret@127.0.0.1:1/live"}
    with pytest.raises(AppError, match="SDCRS_DATABASE_DOWN"), open_database(settings_module.load(told)):
        pass
