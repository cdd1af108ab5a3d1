"""A report from a teacher's packet to its end, over HTTP alone: sign-in, photos, the report, every person's step, the money."""

from uuid import uuid4

from pipeline.demo.photos import photo
from tests.acceptance.town import Town, report_body
from tests.factories import SCHOOL_GATE, VILLE


def test_a_captured_dog_is_paid_once_and_the_public_can_follow_it(town: Town) -> None:
    teacher = town.teacher()
    report = town.captured(teacher)
    town.drain()
    mine = teacher.read(report)
    assert mine["status"] == "RESOLVED"
    assert (mine["payoutDetails"]["payoutStatus"], mine["payoutDetails"]["payoutAmount"]) == ("SUCCESS", 500)
    paid = town.provider_payouts(report)
    assert [(row["status"], row["amount_paise"]) for row in paid] == [("processed", 50_000)]
    assert mine["payoutDetails"]["utr"] == paid[0]["utr"]
    tracked = town.http.post("/sdcrs-services/v1/report/_track", json={"trackingId": report["trackingId"]}).json()["DogReport"]
    assert tracked["statusLabel"] == "Resolved - Dog Captured"
    assert [step["status"] for step in tracked["timeline"]][-1] == "Resolved"
    page = town.http.get(f"/track/{report['trackingId']}")
    assert page.status_code == 200
    for secret in ("9876543210", "okaxis", "Name of", "500", str(paid[0]["utr"])):
        assert secret not in page.text, secret


def test_a_photo_from_elsewhere_is_rejected_by_itself(town: Town) -> None:
    teacher = town.teacher()
    report = town.submit(teacher, exif_at=(11.632, 43.189))
    town.drain()
    mine = teacher.read(report)
    assert (mine["status"], mine["rejectionReason"], mine["payoutEligible"]) == ("AUTO_REJECTED", "INVALID_GPS", False)


def test_the_same_photo_from_two_teachers_is_a_duplicate(town: Town) -> None:
    seed = uuid4().int % 10**9
    first, second = town.teacher(), town.teacher()
    original = town.submit(first, seed=seed)
    town.drain()
    copy = town.submit(second, seed=seed)
    town.drain()
    assert first.read(original)["status"] == "PENDING_VERIFICATION"
    assert (second.read(copy)["status"], second.read(copy)["rejectionReason"]) == ("AUTO_REJECTED", "DUPLICATE_IMAGE")


def test_a_verifier_marks_the_same_dog_as_already_reported(town: Town) -> None:
    original, copy = town.submit(town.teacher()), town.submit(town.teacher())
    town.drain()
    answer = town.verifier.update(
        copy, "MARK_DUPLICATE", rejectionReason="DUPLICATE", additionalDetails={"duplicateOf": original["reportNumber"]}
    )
    assert (answer["status"], answer["payoutEligible"]) == ("DUPLICATE", False)


def test_an_officer_who_finds_no_dog_ends_the_report_without_payout(town: Town) -> None:
    teacher = town.teacher()
    report = town.visited(teacher)
    answer = town.officer.update(
        report, "MARK_UNABLE_TO_LOCATE", resolutionType="UNABLE_TO_LOCATE", unableToLocateReason="DOG_MOVED",
        fieldVisitLocation={"latitude": 11.5887, "longitude": 43.1455},
    )  # fmt: skip
    assert answer["status"] == "UNABLE_TO_LOCATE"
    town.drain()
    assert town.provider_payouts(report) == []


def test_the_sixth_report_of_a_day_is_refused_with_when_to_come_back(town: Town) -> None:
    teacher = town.teacher()
    for _ in range(5):
        town.submit(teacher)
    answer = teacher.post("/sdcrs-services/v1/report/_create", DogReports=[{"nonsense": True}])
    error = answer.json()["Errors"][0]
    assert (answer.status_code, error["code"]) == (400, "SDCRS_DAILY_LIMIT_EXCEEDED")


def test_a_repeated_request_is_answered_again_and_not_done_again(town: Town) -> None:
    teacher = town.teacher()
    now = town.clock.now()
    dog, selfie = teacher.upload(
        ("dog.jpg", photo(uuid4().int % 10**9, "dog", *SCHOOL_GATE, now)),
        ("selfie.jpg", photo(uuid4().int % 10**9, "selfie", *SCHOOL_GATE, now)),
    )
    body = {"RequestInfo": {"msgId": "20260310100000|en_IN", "authToken": teacher.token}, "DogReports": [report_body(dog, selfie, now)]}
    answers = [town.http.post("/sdcrs-services/v1/report/_create", json=body) for _ in range(3)]
    assert {answer.json()["DogReports"][0]["id"] for answer in answers} == {answers[0].json()["DogReports"][0]["id"]}
    listed = teacher.post("/sdcrs-services/v1/report/_search", searchCriteria={"tenantId": VILLE}).json()
    assert listed["TotalCount"] == 1
