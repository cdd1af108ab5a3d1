"""A WebSub subscriber that knows nothing of this product: subscribes, is verified, takes what we sign and nothing else.

Python's `Flask-WebSub`, installed with what it needs into a temporary folder. Without a way to the package the tests are
skipped and say so. It asks for a secret only of a hub behind TLS, so the hub is.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from pipeline.database.engine import Database
from pipeline.identity.flow import credential_jobs
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime, assemble
from tests.api_server import free_port, serving
from tests.conftest import ROLE_PREFIX
from tests.identity_rows import state_of, waiting
from tests.integration.validators.test_wire import authority

DRIVER = Path(__file__).parent / "unrelated_websub/subscriber.py"
PACKAGE = "Flask-WebSub==0.4.1"  # what was tried; a newer one is a change to be looked at
INSTALL_S = 180  # a dozen small packages over a slow line
NO_WAY_THERE = ("Could not find a version", "No matching distribution", "connection", "resolve", "timed out")
TOPIC = "IDA/CREDENTIAL_ISSUED"


@dataclass
class Stand:
    """The stranger's process, our jobs, and the runtime that serves the hub."""

    rt: Runtime
    process: "subprocess.Popen[str]"
    jobs: list[Any]
    port: int

    def tell(self, **command: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def told(self) -> list[list[str]]:
        found: list[list[str]] = self.tell(do="told")
        return found

    def work(self) -> None:
        run_until_idle(self.jobs, self.rt.clock)

    def subscription(self, topic: str = TOPIC) -> Any:
        statement = text("SELECT * FROM websub.subscription WHERE topic = :topic AND callback LIKE :callback")
        with self.rt.database.worker() as conn:
            return conn.execute(statement, {"topic": topic, "callback": f"http://127.0.0.1:{self.port}/%"}).one()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode and any(word in done.stderr for word in NO_WAY_THERE):
        pytest.skip(f"needs a way to Python's {PACKAGE}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def stand(rt: Runtime, urls, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder, port, api_port = tmp_path_factory.mktemp("websub"), free_port(), free_port()
    root, _ = authority(folder, "localhost")
    settings = replace(
        rt.settings, api_port=api_port, identity_networks=("127.0.0.1/32",), websub_subscribers=(f"http://127.0.0.1:{port}/",)
    )
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=4)) as database:
        here = assemble(settings, database, rt.clock)
        with serving(here, folder / "leaf.pem", folder / "key.pem") as url:
            command = [sys.executable, str(DRIVER), str(port), f"{url}/websub/hub", str(root), str(folder)]
            environment = {"PYTHONPATH": str(packages), "PATH": ""}
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
                try:
                    assert process.stdout
                    assert json.loads(process.stdout.readline()) == "listening"
                    yield Stand(here, process, credential_jobs(here), port)
                finally:
                    process.terminate()


def test_it_subscribes_is_verified_takes_what_we_sign_renews_and_leaves(stand: Stand) -> None:
    callback_id = stand.tell(do="subscribe", topic=TOPIC, lease=3600)
    assert isinstance(callback_id, str), callback_id
    assert stand.subscription().status_code == "PENDING"
    stand.work()
    assert stand.told() == [["subscribe", TOPIC, callback_id]]
    first = stand.subscription()
    assert (first.status_code, first.lease_s) == ("ACTIVE", 3600)
    assert first.secret_sealed is not None

    one = waiting(stand.rt)
    stand.work()
    assert state_of(stand.rt, one).transaction == "STORED"  # the stranger takes nothing away from authentication
    kind, topic, content = stand.told()[-1]
    assert (kind, topic) == ("content", TOPIC)
    assert json.loads(content)["event"]["data"]["registrationId"] == str(one.registration_id)

    heard = len(stand.told())
    for headers in ({"X-Hub-Signature": "sha256=" + "0" * 64}, {}):
        httpx.post(f"http://127.0.0.1:{stand.port}/callbacks/{callback_id}", content=content.encode(), headers=headers)
    assert len(stand.told()) == heard

    assert stand.tell(do="renew", id=callback_id) == callback_id
    assert stand.subscription().status_code == "ACTIVE"  # goes on while it is asked
    stand.work()
    assert stand.told()[-1] == ["subscribe", TOPIC, callback_id]
    assert stand.subscription().status_code == "ACTIVE"

    assert stand.tell(do="unsubscribe", id=callback_id) == callback_id
    stand.work()
    assert stand.told()[-1] == ["unsubscribe", TOPIC, callback_id]
    assert stand.subscription().status_code == "ENDED"
    heard = len(stand.told())
    waiting(stand.rt)
    stand.work()
    assert len(stand.told()) == heard


def test_it_is_told_when_there_is_no_such_topic(stand: Stand) -> None:
    assert isinstance(stand.tell(do="subscribe", topic="IDA/NOTHING", lease=3600), str)
    stand.work()
    assert stand.told()[-1] == ["denied", "IDA/NOTHING", "there is no such topic"]
    assert stand.subscription("IDA/NOTHING").status_code == "DENIED"
