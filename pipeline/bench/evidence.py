"""`bench evidence`: how many photos a second are examined, what memory that takes, and how many cores the programme's peak needs.

A few photos of 12 megapixels and about 4 MB, as a phone makes them, are examined again and again, by the pool of processes
as the API uses it; then by the plain way: one process that decodes each photo whole and does the same with it. Same checks,
same hash, same faces, same thumbnail. Neither database nor disk takes part.
"""

import hashlib
import io
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import imagehash
import psutil  # type: ignore[import-untyped]
from PIL import Image, ImageChops, ImageOps

from pipeline.demo.exif import exif_block
from pipeline.demo.photos import PHONE, photo
from pipeline.filestore.exif import facts, read_exif
from pipeline.filestore.measure import hamming, measure, shrunk
from pipeline.filestore.pool import PhotoPool
from pipeline.filestore.quality import quality_of

SIZE = (4000, 3000)
GRAIN = 8.0  # grey levels of noise: with it a photo takes 4 MB, as one of a phone by day does
QUALITY = 92
DIFFERENT = 6
PEAK_PER_S = 28  # photos: two for each of the 14 reports a second at the programme's peak
SECONDS, QUICK_SECONDS = 20.0, 5.0
PLACE = (11.5886, 43.1456)
MB = 1024 * 1024


@dataclass(frozen=True)
class Way:
    """One way of examining and what it took."""

    name: str
    photos: int
    seconds: float
    cpu_s: float  # of all its processes, those that feed it too
    peak_mb: float  # of one process that examines, with Python and its libraries
    rise_mb: float  # above what it takes after a first, small photo
    processes: int

    @property
    def rate(self) -> float:
        return self.photos / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.photos

    @property
    def cores_at_peak(self) -> float:
        return self.cpu_s / self.photos * PEAK_PER_S

    def as_text(self) -> str:
        """One line of the table."""
        return (
            f"  {self.name:<34} {self.rate:>9.1f} {self.cpu_ms:>8.1f} {self.processes:>10} {self.peak_mb:>13.0f} {self.rise_mb:>8.0f} "
            f"{self.cores_at_peak:>18.2f}"
        )


@dataclass(frozen=True)
class Found:
    """The pool beside the plain way. `apart` is the most bits in which their hashes of one photo differ."""

    bytes_each: int
    pool: Way
    plain: Way
    apart: int

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        pool, plain = self.pool, self.plain
        cheaper, smaller = plain.cpu_ms / pool.cpu_ms, plain.rise_mb / max(pool.rise_mb, 1)
        return [
            "",
            f"Evidence: photos of 12 megapixels examined on {os.cpu_count()} cores",
            f"  {DIFFERENT} photos of {self.bytes_each / MB:.1f} MB: kind, EXIF, SHA-256, 64-bit hash, sharpness, light, faces, thumbnail",
            f"  {'way':<34} {'photos/s':>9} {'cpu ms':>8} {'processes':>10} {'peak MB each':>13} {'rise MB':>8} {'cores at the peak':>18}",
            *(way.as_text() for way in (pool, plain)),
            f"  the pool examines {pool.rate / plain.rate:.1f} times as many; a photo costs it {cheaper:.1f} times less processor time",
            f"  and {smaller:.1f} times less memory; the hashes of both ways differ in at most {self.apart} of 64 bits",
            f"  the programme's peak, {PEAK_PER_S} photos a second, takes {pool.cores_at_peak:.2f} cores",
        ]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        ways = {
            name: {
                "photos_per_second": round(way.rate, 2),
                "cpu_ms_per_photo": round(way.cpu_ms, 2),
                "processes": way.processes,
                "peak_mb_each": round(way.peak_mb, 1),
                "rise_mb_each": round(way.rise_mb, 1),
                "cores_at_peak": round(way.cores_at_peak, 3),
                "photos": way.photos,
                "seconds": round(way.seconds, 2),
            }
            for name, way in (("pool", self.pool), ("plain", self.plain))
        }
        return {"bytes_each": self.bytes_each, "peak_photos_per_second": PEAK_PER_S, "hash_bits_apart": self.apart, **ways}


def measure_evidence(now: datetime, seconds: float, seed: int, say: Callable[[str], None]) -> Found:
    """Both ways, `seconds` each. `now` has a zone; it is the time that the photos carry."""
    say("Making photos of 12 megapixels")
    photos = [phone_photo(seed * 1000 + number, now) for number in range(DIFFERENT)]
    say(f"Examining them in a pool of processes for {seconds:.0f} s")
    pool = _by_pool(photos, seconds)
    say(f"Examining them the plain way for {seconds:.0f} s")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        plain, hashes = other.submit(_plainly, photos, seconds).result()
    apart = max(hamming(measure(data, "a.jpg").phash, theirs) for data, theirs in zip(photos, hashes, strict=True))
    return Found(sum(map(len, photos)) // len(photos), pool, plain, apart)


def phone_photo(seed: int, taken_at: datetime) -> bytes:
    """A JPEG of 12 megapixels with grain and the EXIF of a phone."""
    drawn = Image.open(io.BytesIO(photo(seed, "selfie" if seed % 2 else "dog"))).resize(SIZE, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(SIZE, GRAIN)
    shown = ImageChops.add(drawn, Image.merge("RGB", (grain, grain, grain)), 1, -128)
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=QUALITY, exif=exif_block(PHONE.make, PHONE.model, None, *PLACE, taken_at))
    return out.getvalue()


def _by_pool(photos: Sequence[bytes], seconds: float) -> Way:
    """As the API does it: a thread for each process, each with a photo of its own."""
    pool = PhotoPool()
    try:
        small = photo(1)
        _together(pool.processes, lambda _: pool.examine(small, "small.jpg"))
        pids = pool.pids()
        base = {pid: _peak_mb(pid) for pid in pids}
        before, began = _cpu_s(pids), time.monotonic()
        done = [0] * pool.processes

        def feed(number: int) -> None:
            while time.monotonic() - began < seconds:
                pool.examine(photos[(number + done[number]) % len(photos)], "a.jpg")
                done[number] += 1

        _together(pool.processes, feed)
        took, used = time.monotonic() - began, _cpu_s(pids) - before
        peaks = {pid: _peak_mb(pid) for pid in pids}
        rise = max(peaks[pid] - base[pid] for pid in pids)
        return Way("pool, decoded at reduced scale", sum(done), took, used, max(peaks.values()), rise, pool.processes)
    finally:
        pool.close()


def _together(count: int, work: Callable[[int], object]) -> None:
    """Carry out `work` in so many threads and wait for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _plainly(photos: Sequence[bytes], seconds: float) -> tuple[Way, list[int]]:
    """In a process of its own: what it took, and each photo's hash."""
    _whole(photo(1))
    base = _peak_mb(os.getpid())
    hashes = {}
    began, before, done = time.monotonic(), time.process_time(), 0
    while done < len(photos) or time.monotonic() - began < seconds:
        hashes[done % len(photos)] = _whole(photos[done % len(photos)])
        done += 1
    took, used = time.monotonic() - began, time.process_time() - before
    peak = _peak_mb(os.getpid())
    return Way("plain, decoded whole, one process", done, took, used, peak, peak - base, 1), [hashes[n] for n in range(len(photos))]


def _whole(data: bytes) -> int:
    """What `examine` finds, from the whole picture."""
    from pipeline.filestore.faces import count_faces  # noqa: PLC0415 - loads OpenCV: the memory is this process's, not the bench's

    opened = Image.open(io.BytesIO(data))
    facts(read_exif(opened.info.get("exif", b"")))
    picture = ImageOps.exif_transpose(opened).convert("RGB")
    grey = picture.convert("L")
    hashlib.sha256(data).digest()
    quality_of(grey)
    count_faces(grey)
    shrunk(picture, 256)
    return int(str(imagehash.phash(grey)), 16)


def _peak_mb(pid: int) -> float:
    """The most memory that a process has had so far."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # not Linux: what it has now
        return float(psutil.Process(pid).memory_info().rss) / MB
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds of these processes and of this one."""
    used = [psutil.Process(pid).cpu_times() for pid in pids]
    return time.process_time() + sum(times.user + times.system for times in used)
