"""How each packet is played: by whom, on which report, and against what. One line of a table each; the happy path is one report.

Packets that are other outcomes of one step run on a copy of the report, with a teacher and a photo of its own.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from pipeline.packets.catalogue import get
from pipeline.replay import fraud, login
from pipeline.replay.checks import exchange, system_is_refused, transition_differences, webhook, written
from pipeline.replay.compare import Difference, compare
from pipeline.replay.files import PacketFile
from pipeline.replay.verdict import Verdict, judge, not_ours
from pipeline.replay.world import FAR, GATE, MAIN, Copy, World

DAY = timedelta(days=1)

Play = Callable[[World, PacketFile], Verdict]


def prepare(world: World, first: PacketFile) -> None:
    """The companions that lists show: an older report of the same teacher under way, so that 'my reports' has two."""
    companion = world.brought_to(
        "IN_PROGRESS", first.at - DAY, world.person("T12345"), "MCO002", service_type="StrayDogInjured", place=(11.5951, 43.1442)
    )
    world.copies["my older report"] = companion
    world.clock.set(first.at)


def play(world: World, packet: PacketFile) -> Verdict:
    """Play one packet with the clock at its own time."""
    world.clock.set(packet.at)
    known = PLAYS.get(packet.id)
    if known is not None:
        return known(world, packet)
    described = get(packet.id)
    if described.client:
        return not_ours(packet.id, packet.name, "held by a client app")
    if "kafkaMessage" in packet.content:
        return written(world, packet, world.copies[MAIN])
    return not_ours(packet.id, packet.name, f"between {described.sender} and {described.receiver}")


def _upload(world: World, packet: PacketFile) -> Verdict:
    """02/05: both photos, with the EXIF that the packets of the camera show."""
    teacher = world.person("T12345")
    names = [entry["fileName"] for entry in packet.content["request"]["formData"]["file"]]
    pictures = [data for _, data in world.photos(GATE, packet.at - timedelta(minutes=1))]
    status, answer = world.send_files(teacher, packet.content["request"]["url"], list(zip(names, pictures, strict=True)))
    world.answers["02/06"] = (status, answer)
    if status == 201:
        world.uploaded = {
            "fs-dog-001-abc123def456": answer["files"][0]["fileStoreId"],
            "fs-selfie-001-xyz789ghi012": answer["files"][1]["fileStoreId"],
        }
    differences = [] if status == 201 else [Difference("HTTP", "201", f"{status} {answer}")]
    return judge(packet.id, packet.name, "POST /filestore/v1/files 201", str(status), differences)


def _answered(world: World, packet: PacketFile) -> Verdict:
    """The answer that an earlier packet's request got."""
    status, answer = world.answers[packet.id]
    wanted = packet.content["response"]
    differences = [] if status == wanted["status"] else [Difference("HTTP", str(wanted["status"]), str(status))]
    return judge(packet.id, packet.name, f"answer {wanted['status']}", str(status), [*differences, *compare(wanted["body"], answer)])


def _create(world: World, packet: PacketFile) -> Verdict:
    """02/07: the report itself."""
    teacher = world.person("T12345")
    sent = packet.content["request"]
    copy = Copy(UUID(int=0), "", "", teacher, dict(world.uploaded))
    status, answer = world.send(sent["method"], sent["url"], sent["body"], teacher, copy)
    world.answers["02/08"] = (status, answer)
    if status == 201:
        world.copies[MAIN] = world.copy_of(UUID(answer["DogReports"][0]["id"]), teacher)
        world.copies[MAIN].names |= world.uploaded
    differences = [] if status == 201 else [Difference("HTTP", "201", f"{status} {answer}")]
    return judge(packet.id, packet.name, "POST /sdcrs-services/v1/report/_create 201", str(status), differences)


def _after(*jobs: str) -> Play:
    """Run these jobs (none named: all), then find the packet in our log."""

    def run(world: World, packet: PacketFile) -> Verdict:
        world.drain(*jobs)
        return written(world, packet, world.copies[MAIN])

    return run


def _boundary(world: World, packet: PacketFile) -> Verdict:
    """03/04: the place inside, then a place outside as in the packet's failure."""
    caller = world.person("T12345")
    verdict, _ = exchange(world, packet, caller, world.copies.get(MAIN), "boundaryCheckRequest", "boundaryCheckResponse")
    sent = packet.content["boundaryCheckRequest"]
    outside = {**sent["body"], "latitude": 11.85, "longitude": 43.5}
    status, answer = world.send(sent["method"], sent["url"], outside, caller, None)
    wanted = packet.content["failureScenario"]["response"]
    got = answer.get("boundary", {}) if isinstance(answer, dict) else {}
    differences = [*verdict.differences, *compare(wanted, got, "failureScenario.response")]
    return judge(packet.id, packet.name, verdict.expected, str(status), differences)


def _auto_rejected(world: World, packet: PacketFile) -> Verdict:
    """03/09: the picture of an earlier report, taken five kilometres from the phone, beside a selfie of last week."""
    world.clock.set(packet.at - timedelta(seconds=5))
    earlier = world.photos(GATE, packet.at - timedelta(minutes=4))
    world.submit(world.new_teacher(), files=earlier, service_type="StrayDogInjured")
    again = world.again(FAR, packet.at - timedelta(minutes=2))
    old_selfie = world.photos(GATE, packet.at - 7 * DAY)[1]
    world.clock.set(packet.at)
    copy = world.submit(world.new_teacher(), files=[again, old_selfie])
    world.drain()
    world.copies[packet.id] = copy
    return written(world, packet, copy)


def _search(username: str, **parts: str) -> Play:
    """A search by this person; the lists show the happy path's report."""

    def run(world: World, packet: PacketFile) -> Verdict:
        return exchange(world, packet, world.person(username), world.copies[MAIN], **parts)[0]

    return run


def _inbox(world: World, packet: PacketFile) -> Verdict:
    """04/01: with the second report of the packet's list waiting beside the first."""
    world.brought_to("PENDING_VERIFICATION", packet.at, service_type="StrayDogInjured", place=(11.5731, 43.1463))
    world.clock.set(packet.at)
    return _search("V001")(world, packet)


def _act(username: str, state: str | None = None) -> Play:
    """An action of this person: on the happy path's report, or on a copy brought to `state`."""

    def run(world: World, packet: PacketFile) -> Verdict:
        copy = world.copies[MAIN] if state is None else world.brought_to(state, packet.at)
        copy.names.setdefault("DR-DJ-2024-000100", world.copies["my older report"].report_number)
        world.clock.set(packet.at)
        _upload_capture(world, packet, copy)
        verdict, _ = exchange(world, packet, world.person(username), copy)
        world.copies[packet.id] = copy
        return verdict

    return run


def _upload_capture(world: World, packet: PacketFile, copy: Copy) -> None:
    upload = packet.content.get("capturePhotoUpload")
    if upload is None:
        return
    picture = world.photos(GATE, packet.at)[0][1]
    url = f"{upload['url']}?tenantId={upload['body']['tenantId']}&module={upload['body']['module']}&tag={upload['body']['tag']}"
    _, answer = world.send_files(world.person("MCO001"), url, [("capture.jpg", picture)])
    copy.names[upload["response"]["fileStoreId"]] = answer["files"][0]["fileStoreId"]


def _of(earlier: str, *jobs: str) -> Play:
    """A packet that follows from what an earlier packet did to its copy; made anew when that packet is not in the folder."""

    def run(world: World, packet: PacketFile) -> Verdict:
        if earlier not in world.copies:
            world.copies[earlier] = _outcome(world, packet, earlier)
        world.clock.set(packet.at)
        world.drain(*jobs)
        return written(world, packet, world.copies[earlier])

    return run


def _outcome(world: World, packet: PacketFile, earlier: str) -> Copy:
    """The report after a step whose own packet is missing."""
    if earlier == "06/06":
        copy = world.brought_to("IN_PROGRESS", packet.at)
        world.do("MCO001", copy, "MARK_UNABLE_TO_LOCATE", unable_reason="DOG_MOVED")
    elif earlier == "04/04":
        copy = world.brought_to("PENDING_VERIFICATION", packet.at)
        world.do("V001", copy, "REJECT", rejection_reason="NOT_A_DOG")
    else:
        copy = world.brought_to("PAYOUT_FAILED", packet.at, world.new_teacher("replay.fails.vpa.invalid@sandbox"))
    return copy


def _send_payout(world: World, packet: PacketFile) -> Verdict:
    """08/01: the provider is short of money, so that it queues the payout as the packets show, and the calls go out."""
    world.control("balance", {"amount_paise": 0})
    world.drain("payout.send")
    copy = world.copies[MAIN]
    copy.names |= world.payout_names(copy)
    return written(world, packet, copy)


def _event(world: World, packet: PacketFile) -> Verdict:
    """08/06 to 08/08: the provider's event about the happy path's payout, or about a copy's."""
    world.control("balance", {"amount_paise": 10_000_000_000})
    copy = world.copies[MAIN]
    if packet.content["webhookRequest"]["body"]["event"] in ("payout.failed", "payout.reversed"):
        copy = world.brought_to("PAYOUT_PENDING", packet.at)
        copy.names |= world.payout_names(copy)
        world.copies["09/04"] = copy
    world.clock.set(packet.at)
    return webhook(world, packet, copy)


def _later_state(world: World, packet: PacketFile) -> Verdict:
    """02/10: SUBMIT happened inside _create; the table and the history say the same as the packet."""
    verdict = written(world, packet, world.copies[MAIN])
    differences = [*verdict.differences, *transition_differences(world, packet), *system_is_refused(world, packet, world.copies[MAIN])]
    return judge(packet.id, packet.name, "SUBMIT -> PENDING_VALIDATION", verdict.got, differences)


def _retry_answer(world: World, packet: PacketFile) -> Verdict:
    """09/08: the answer to the retry of 09/07."""
    return _answered(world, packet) if packet.id in world.answers else written(world, packet, world.copies["09/07"])


def _retry(world: World, packet: PacketFile) -> Verdict:
    """09/07: an admin retries with a corrected address."""
    copy = world.brought_to("PAYOUT_FAILED", packet.at, world.new_teacher("retry.fails.vpa.invalid@sandbox"))
    world.clock.set(packet.at)
    sent = packet.content["request"]
    status, answer = world.send(sent["method"], sent["url"], sent["body"], world.person("ADMIN001"), copy)
    world.copies["09/07"], world.answers["09/08"] = copy, (status, answer)
    wanted: Any = packet.content.get("response", {"status": 200})
    differences = [] if status == wanted.get("status", 200) else [Difference("HTTP", "200", f"{status} {answer}")]
    return judge(packet.id, packet.name, "RETRY_PAYOUT 200", str(status), [*differences, *compare(wanted.get("body"), answer)])


def _sixth(world: World, packet: PacketFile) -> Verdict:
    """11/01: a teacher who has sent five reports today."""
    world.clock.set(packet.at - timedelta(seconds=60))
    copy = world.submit(world.new_teacher())
    for count in range(1, 5):
        world.clock.set(packet.at - timedelta(seconds=60 - 10 * count))
        world.submit(copy.teacher)
    return _refused_create(world, packet, copy)


def _suspended(world: World, packet: PacketFile) -> Verdict:
    """11/04: a teacher who is suspended."""
    copy = world.submit(world.new_teacher())
    world.suspend(copy.teacher, packet.at + 5 * DAY, "Repeated reports that were not accepted")
    return _refused_create(world, packet, copy)


def _refused_create(world: World, packet: PacketFile, copy: Copy) -> Verdict:
    world.clock.set(packet.at)
    return exchange(world, packet, copy.teacher, copy)[0]


def _capped(world: World, packet: PacketFile) -> Verdict:
    """11/02: a teacher whose ten payouts of this month are reserved captures an eleventh dog."""
    teacher = world.new_teacher()
    for number in range(10):
        world.brought_to("CAPTURED", packet.at - DAY * (3 - number // 5), teacher)
    world.clock.set(packet.at - timedelta(minutes=5))
    world.drain("payout.open")
    copy = world.brought_to("CAPTURED", packet.at, teacher)
    world.clock.set(packet.at)
    world.drain()
    return written(world, packet, copy)


def _rejected(**submission: Any) -> Play:
    """11/03, 11/05, 11/07: a report that auto-validation refuses for this reason alone."""

    def run(world: World, packet: PacketFile) -> Verdict:
        copy = world.brought_to("PENDING_VALIDATION", packet.at, **submission)
        world.clock.set(packet.at)
        world.drain()
        return written(world, packet, copy)

    return run


def _old_selfie(world: World, packet: PacketFile) -> Verdict:
    """11/03: a fresh dog photo beside a selfie of last week, which a rule of its own refuses."""
    world.clock.set(packet.at)
    fresh = world.photos(GATE, packet.at - timedelta(minutes=2))
    old = world.photos(GATE, packet.at - 7 * DAY)
    return _rejected(files=[fresh[0], old[1]])(world, packet)


PLAYS: dict[str, Play] = {
    **login.PLAYS,
    "02/05": _upload,
    "02/06": _answered,
    "02/07": _create,
    "02/08": _answered,
    "02/10": _later_state,
    "02/11": _after("notifications"),
    "03/02": _after("validation"),
    "03/03": _after(),
    "03/04": _boundary,
    "03/05": _after(),
    "03/06": fraud.asked,
    "03/07": fraud.answered,
    "03/08": _after(),
    "03/09": _auto_rejected,
    "04/01": _inbox,
    "04/02": _search("V001", request="reportDetailRequest", response="reportDetailResponse"),
    "04/03": _act("V001"),
    "04/04": _act("V001", "PENDING_VERIFICATION"),
    "04/05": _act("V001", "PENDING_VERIFICATION"),
    "04/06": _of("04/04", "notifications"),
    "05/01": _search("SUP001"),
    "05/02": _search("SUP001"),
    "05/03": _act("SUP001"),
    "05/04": _after("notifications"),
    "06/01": _search("MCO001"),
    "06/02": _search("MCO001", request="reportDetailRequest"),
    "06/03": _act("MCO001"),
    "06/05": _act("MCO001"),
    "06/06": _act("MCO001", "IN_PROGRESS"),
    "06/07": _of("06/06", "notifications"),
    "07/01": _after("payout.open"),
    "07/02": _after("payout.open"),
    "07/03": _after("notifications"),
    "08/01": _send_payout,
    "08/02": _after("payout.send"),
    "08/03": _after("payout.send"),
    "08/04": _after("payout.send"),
    "08/05": _after("payout.send"),
    "08/06": _event,
    "08/07": _event,
    "08/08": _event,
    "09/01": _after("payout.settle"),
    "09/02": _after("payout.settle"),
    "09/03": _after("notifications"),
    "09/04": _of("09/04"),
    "09/05": _of("09/04"),
    "09/06": _of("09/04"),
    "09/07": _retry,
    "09/08": _retry_answer,
    "09/09": _act("ADMIN001", "PAYOUT_FAILED"),
    "10/01": _search("T12345"),
    "10/02": _search("T12345"),
    "10/03": _search("T12345"),
    "10/04": _search("ADMIN001"),
    "11/01": _sixth,
    "11/02": _capped,
    "11/03": _old_selfie,
    "11/04": _suspended,
    "11/05": _rejected(place=(11.85, 43.5)),
    "11/06": _act("SUP001", "ASSIGNED"),
    "11/07": _rejected(age=timedelta(hours=83.6)),
}
