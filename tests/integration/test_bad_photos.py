"""Photos made to hurt, sent to the real app: each ends in a verdict or a coded error, none in a fault, none in much memory."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pipeline.api.app import build
from pipeline.demo.photos import photo
from pipeline.errors import REGISTRY, AppError
from pipeline.filestore.examine import Examined, examine
from pipeline.filestore.pool import PhotoPool
from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from tests.api import Client, signed_in
from tests.bad_photos import BAD_PHOTOS, PAYLOAD, BadPhoto
from tests.factories import VILLE, account, people

MAX_RISE_MB = 200
FILES = f"/filestore/v1/files?tenantId={VILLE}&module=SDCRS"
PEAK = """
import sys
from pathlib import Path
from pipeline.errors import AppError
from pipeline.filestore.examine import examine

def peak():
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1]) // 1024

examine(Path(sys.argv[1]).read_bytes(), "warm.jpg")
before = peak()
for path in sys.argv[2:]:
    try:
        examine(Path(path).read_bytes(), "a.jpg")
    except AppError:
        pass
print(peak() - before)
"""


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client


@pytest.fixture(scope="module")
def teacher(rt: Runtime, http: TestClient) -> Client:
    return signed_in(rt, http, people(rt).teacher)


@pytest.fixture(scope="module")
def pool() -> Iterator[PhotoPool]:
    found = PhotoPool(1)
    yield found
    found.close()


def send(client: Client, *files: tuple[str, bytes]) -> Any:
    return client.http.post(FILES, files=[("file", (name, data, "image/jpeg")) for name, data in files], headers=client.headers)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # its remarks about damaged EXIF
@pytest.mark.parametrize("bad", BAD_PHOTOS, ids=lambda bad: bad.name.replace(" ", "_"))
def test_what_becomes_of_it_over_http(http: TestClient, teacher: Client, bad: BadPhoto) -> None:
    data = bad.make()
    answer = send(teacher, (bad.file_name, data))
    if bad.code is not None:
        (error,) = answer.json()["Errors"]
        assert (error["code"], answer.status_code) == (bad.code, REGISTRY[bad.code].status)
        assert bad.file_name in error["message"]
        return
    assert answer.status_code == 201, answer.text
    path = f"/filestore/v1/files/{answer.json()['files'][0]['fileStoreId']}"
    for variant in ("photo", "thumbnail"):
        shown = http.get(f"{path}?variant={variant}", headers=teacher.headers)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        image = Image.open(io.BytesIO(shown.content))
        assert (image.format, len(image.getexif()), image.info.get("comment")) == ("JPEG", 0, None)
        assert PAYLOAD not in shown.content
        assert b"PK\x03\x04" not in shown.content
    original = http.get(f"{path}?variant=original", headers=teacher.headers)
    assert original.content == data
    assert (original.headers["x-content-type-options"], "sandbox" in original.headers["content-security-policy"]) == ("nosniff", True)


def test_all_of_them_together_raise_memory_by_less_than_200_mb(tmp_path: Path) -> None:
    paths = [tmp_path / "good.jpg"]
    paths[0].write_bytes(photo(1))
    for number, bad in enumerate(BAD_PHOTOS):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(bad.make())
    done = subprocess.run([sys.executable, "-c", PEAK, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < MAX_RISE_MB


def test_the_process_that_measured_them_over_http_is_small_still(http: TestClient, teacher: Client) -> None:
    for bad in BAD_PHOTOS[-4:]:  # the largest; all others have been sent above
        send(teacher, (bad.file_name, bad.make()))
    pids = http.app.state.parts.photos.pids()  # type: ignore[attr-defined]
    assert pids
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        peak_mb = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
        assert peak_mb < 110 + MAX_RISE_MB


def test_one_bad_photo_among_good_ones_names_itself(teacher: Client) -> None:
    answer = send(teacher, ("dog.jpg", photo(1)), ("selfie.heic", b"\0\0\0\x18ftypheic" + b"\0" * 64))
    (error,) = answer.json()["Errors"]
    assert (answer.status_code, error["code"]) == (415, "SDCRS_FILE_FORMAT")
    assert error["message"].startswith("selfie.heic is HEIC; only JPEG and PNG are taken. Set the camera to JPEG")


def test_many_uploads_at_once_are_all_taken(rt: Runtime, http: TestClient) -> None:
    clients = [signed_in(rt, http, account(rt, f"TP{n}", "TEACHER")) for n in range(6)]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda c=client, n=n: answers.append(send(c, ("dog.jpg", photo(n))).status_code))
        for n, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [201] * len(clients)


# The pool --------------------------------------------------------------------------------------------------------------


def test_another_process_finds_what_this_one_finds(pool: PhotoPool) -> None:
    data = photo(3, "selfie")
    assert pool.examine(data, "a.jpg") == examine(data, "a.jpg")
    with pytest.raises(AppError) as caught:
        pool.examine(b"no photo", "a.jpg")
    assert (caught.value.code, caught.value.params["fileName"]) == ("SDCRS_FILE_NOT_AN_IMAGE", "a.jpg")


def test_a_process_killed_while_idle_is_replaced_unseen(pool: PhotoPool) -> None:
    pool.examine(photo(1), "a.jpg")
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert pool.examine(photo(2), "a.jpg").measured == examine(photo(2), "a.jpg").measured
    assert pool.pids() != [pid]


def _examine_while(pool: PhotoPool, disturb: int) -> Examined | AppError:
    """One photo, while its process gets a signal."""
    pool.examine(photo(1), "a.jpg")
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGSTOP)  # stands still, so that it surely has the photo when it is disturbed
    threading.Timer(0.2, os.kill, (pid, disturb)).start()
    try:
        return pool.examine(photo(2), "a.jpg")
    except AppError as error:
        return error


def test_a_process_killed_at_work_gives_a_clear_error_and_the_next_photo_is_taken(pool: PhotoPool) -> None:
    error = _examine_while(pool, signal.SIGKILL)
    assert isinstance(error, AppError)
    assert (error.code, error.params["detail"]) == ("SDCRS_PHOTO_NOT_EXAMINED", "the process that looked at it ended")
    assert pool.examine(photo(2), "a.jpg").measured.width == 320


def test_a_process_that_stands_still_is_ended_and_the_photo_answered() -> None:
    pool = PhotoPool(1, time_limit_s=20)
    pool.examine(photo(1), "a.jpg")
    pool._time_limit_s = 0.5
    os.kill(pool.pids()[0], signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(AppError) as caught:
        pool.examine(photo(2), "a.jpg")
    assert (caught.value.code, caught.value.params["detail"]) == ("SDCRS_PHOTO_NOT_EXAMINED", "it took more than 0.5 seconds")
    assert time.monotonic() - began < 5
    assert pool.pids() == []
    pool.close()


def _refusal_of(pool: PhotoPool) -> str:
    with pytest.raises(AppError) as caught:
        pool.examine(photo(2), "a.jpg")
    return caught.value.code


def test_who_finds_no_free_process_in_time_is_told_to_come_again() -> None:
    pool = PhotoPool(1, wait_s=0.1)
    pool.examine(photo(1), "a.jpg")
    os.kill(pool.pids()[0], signal.SIGSTOP)
    first = threading.Thread(target=lambda: _refusal_of(pool))
    first.start()
    time.sleep(0.2)
    with pytest.raises(AppError) as caught:
        pool.examine(photo(3), "a.jpg")
    assert caught.value.code == "SDCRS_BUSY"
    pool.close()  # ends the one that stands still, and so the thread that waits for it
    first.join(5)
    assert not first.is_alive()


def test_a_killed_process_is_a_503_over_http_and_the_next_upload_works(http: TestClient, teacher: Client) -> None:
    assert send(teacher, ("dog.jpg", photo(1))).status_code == 201
    for pid in http.app.state.parts.photos.pids():  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    answer = send(teacher, ("dog.jpg", photo(2)))
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (503, "SDCRS_PHOTO_NOT_EXAMINED")
    assert send(teacher, ("dog.jpg", photo(2))).status_code == 201


def test_the_processes_end_with_the_pool_and_hold_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:secret@nowhere/x")
    pool = PhotoPool(1)
    pool.examine(photo(1), "a.jpg")
    (pid,) = pool.pids()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    pool.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(AppError):
        pool.examine(photo(1), "a.jpg")
