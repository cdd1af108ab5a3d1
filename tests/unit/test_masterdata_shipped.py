"""What the product ships: the programme's own numbers, codes and words, as the contract rules them."""

from collections import Counter

import pytest

from pipeline.errors import AppError
from pipeline.masterdata.base import LOCALES
from pipeline.masterdata.files import load_folder, read_folder
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.models import PLACEHOLDERS

VILLE = "dj.djibouti-ville"


@pytest.fixture(scope="module")
def md() -> MasterData:
    return load_folder()


def test_a_capture_pays_500_rupees_five_reports_a_day_and_5000_a_month(md):
    config = md.payout_config(VILLE)
    assert (config.amount_paise, config.daily_limit, config.monthly_cap_paise) == (50_000, 5, 500_000)
    assert (config.max_retries, config.retry_after_minutes, config.currency) == (3, 60, "INR")


def test_limits_of_the_automatic_checks_are_the_contracts(md):
    limits = md.validation_limits(VILLE)
    assert (limits.max_gps_distance_meters, limits.max_photo_age_hours, limits.max_photo_future_minutes) == (100, 48, 10)
    assert (limits.duplicate_lookback_days, limits.duplicate_similarity, limits.duplicate_hash_distance) == (30, 0.9, 6)
    assert limits.near_duplicate_mode == "REJECT"


# code, priority, hours to the end
REPORT_TYPES = [
    ("StrayDogAggressive", "HIGH", 24),
    ("StrayDogInjured", "HIGH", 24),
    ("StrayDogPack", "MEDIUM", 48),
    ("StrayDogStandard", "LOW", 72),
]


def test_report_types_have_their_priorities_and_hours(md):
    assert [(code, kind.priority, kind.sla_hours) for code, kind in md.report_types(VILLE).items()] == REPORT_TYPES


# the action, what the client sends, the reason it means, whether it counts towards a penalty
REASONS = [
    ("AUTO_VALIDATE_FAIL", "INVALID_GPS", "INVALID_GPS", False),
    ("AUTO_VALIDATE_FAIL", "OUTSIDE_BOUNDARY", "OUTSIDE_BOUNDARY", False),
    ("AUTO_VALIDATE_FAIL", "STALE_TIMESTAMP", "STALE_TIMESTAMP", False),
    ("AUTO_VALIDATE_FAIL", "STALE_PHOTO", "STALE_TIMESTAMP", False),
    ("AUTO_VALIDATE_FAIL", "STALE_EVIDENCE", "STALE_TIMESTAMP", False),
    ("AUTO_VALIDATE_FAIL", "DUPLICATE_IMAGE", "DUPLICATE_IMAGE", False),
    ("AUTO_VALIDATE_FAIL", "FRAUD_DETECTED", "FRAUD_DETECTED", True),
    ("REJECT", "POOR_QUALITY", "POOR_QUALITY", False),
    ("REJECT", "NOT_A_DOG", "NOT_A_DOG", True),
    ("REJECT", "DOMESTIC_DOG", "DOMESTIC_DOG", True),
    ("REJECT", "FRAUDULENT", "FRAUDULENT", True),
    ("MARK_DUPLICATE", "DUPLICATE", "DUPLICATE", False),
]


@pytest.mark.parametrize(("action", "sent", "meant", "counted"), REASONS)
def test_each_reason_goes_with_its_action_and_counts_as_ruled(md, action, sent, meant, counted):
    reason = md.rejection_reason(VILLE, sent, action)
    assert (reason.code, reason.counts_for_penalty) == (meant, counted)


def test_a_verifier_cannot_reject_with_a_reason_of_the_automatic_checks(md):
    with pytest.raises(AppError) as caught:
        md.rejection_reason(VILLE, "INVALID_GPS", "REJECT")
    assert caught.value.code == "SDCRS_UNKNOWN_REASON"
    assert caught.value.params["known"] == "POOR_QUALITY, NOT_A_DOG, DOMESTIC_DOG, FRAUDULENT"


def test_three_resolution_types_trigger_a_payout_and_two_do_not(md):
    paid = {code for code, kind in md.resolution_types(VILLE).items() if kind.triggers_payout}
    assert paid == {"CAPTURED", "RELOCATED", "STERILIZED_RELEASED"}
    assert set(md.resolution_types(VILLE)) - paid == {"UNABLE_TO_LOCATE", "ALREADY_RESOLVED"}
    assert list(md.unable_reasons(VILLE)) == ["DOG_MOVED", "INCORRECT_LOCATION", "DOG_ALREADY_CAPTURED", "SEARCH_TIMEOUT"]


def test_there_are_27_internal_and_12_external_fraud_rules_of_17_kinds(md):
    rules = md.fraud_rules(VILLE)
    assert Counter(rule.rule_type for rule in rules) == {"INTERNAL": 27, "EXTERNAL": 12}
    assert len({rule.condition.type for rule in rules}) == 17
    assert all(rule.enabled for rule in rules)


@pytest.mark.parametrize(
    ("score", "level"),
    [(0, "LOW"), (25, "LOW"), (26, "MEDIUM"), (50, "MEDIUM"), (51, "HIGH"), (75, "HIGH"), (76, "CRITICAL"), (100, "CRITICAL")],
)
def test_scores_have_the_contracts_levels(md, score, level):
    config = md.risk_config(VILLE)
    assert config.level(score) == level
    assert (config.approve_threshold, config.auto_reject_threshold) == (20, 80)


# code, counted rejections, within days, hours that it blocks
PENALTIES = [("WARNING", 1, None, None), ("COOLDOWN", 3, 30, 24), ("SUSPENSION", 5, 90, 168), ("BAN", 10, 365, None)]


def test_penalties_have_the_contracts_numbers(md):
    found = [
        (step.code, step.trigger_condition.rejections, step.trigger_condition.within_days, step.duration and step.duration.total_hours)
        for step in md.penalties(VILLE)
    ]
    assert found == PENALTIES
    assert md.penalties(VILLE)[-1].trigger_condition.confirmed_frauds == 1


# what each message of the packets is about: its places, and who it goes to after which action
PACKET_MESSAGES = [
    ("SDCRS_SUBMIT_TEACHER", {"trackingId", "trackingUrl"}, "SUBMIT", "PENDING_VALIDATION", "TEACHER"),
    ("SDCRS_REJECT_TEACHER", {"trackingId", "reason", "helpdesk"}, "REJECT", "REJECTED", "TEACHER"),
    ("SDCRS_REJECT_TEACHER", {"trackingId", "reason", "helpdesk"}, "MARK_DUPLICATE", "DUPLICATE", "TEACHER"),
    ("SDCRS_ASSIGN_OFFICER", {"reportNumber", "address", "ward", "reportType", "slaHours"}, "ASSIGN", "ASSIGNED", "ASSIGNED_OFFICER"),
    ("SDCRS_UNABLE_TO_LOCATE_TEACHER", {"trackingId"}, "MARK_UNABLE_TO_LOCATE", "UNABLE_TO_LOCATE", "TEACHER"),
    ("SDCRS_PAYOUT_PROCESSING_TEACHER", {"trackingId", "amount", "vpa"}, "INITIATE_PAYOUT", "PAYOUT_PENDING", "TEACHER"),
    ("SDCRS_PAYOUT_SUCCESS_TEACHER", {"trackingId", "amount", "vpa", "utr"}, "PAYOUT_SUCCESS", "RESOLVED", "TEACHER"),
    ("SDCRS_PAYOUT_FAILED_TEACHER", {"trackingId", "reason", "helpdesk"}, "PAYOUT_FAILED", "PAYOUT_FAILED", "TEACHER"),
]


@pytest.mark.parametrize(("template_id", "places", "action", "to_state", "recipient"), PACKET_MESSAGES)
def test_messages_of_the_packets_go_to_the_right_person_with_the_right_places(md, template_id, places, action, to_state, recipient):
    assert [(send.template_id, send.recipient) for send in md.sends_for(action, to_state)] == [(template_id, recipient)]
    for locale in LOCALES:
        assert md.template(template_id, locale).placeholders == places


def test_reassigning_tells_both_officers_and_taking_back_only_the_one_who_had_it(md):
    both = {(send.recipient, send.template_id) for send in md.sends_for("REASSIGN", "ASSIGNED")}
    assert both == {("PREVIOUS_OFFICER", "SDCRS_REASSIGN_OFFICER"), ("ASSIGNED_OFFICER", "SDCRS_ASSIGN_OFFICER")}
    assert [send.recipient for send in md.sends_for("REASSIGN", "VERIFIED")] == ["PREVIOUS_OFFICER"]


def test_every_message_renders_in_both_languages_and_hindi_is_hindi(md):
    values = dict.fromkeys(PLACEHOLDERS, "7")
    for locale in LOCALES:
        for template in md.templates(locale).values():
            text = template.content.format_map(values)
            assert "{" not in text
            assert any("\u0900" <= letter <= "\u097f" for letter in text) == (locale == "hi_IN")


def test_an_unknown_language_falls_back_to_english(md):
    assert md.template("SDCRS_VERIFIED", "fr_DJ").locale == "en_IN"


# the provider's word, our state
PROVIDER_WORDS = [
    ("queued", "INITIATED"),
    ("pending", "INITIATED"),
    ("processing", "PROCESSING"),
    ("processed", "COMPLETED"),
    ("failed", "FAILED"),
    ("cancelled", "FAILED"),
    ("rejected", "FAILED"),
    ("reversed", "REVERSED"),
    ("anything else", None),
]


@pytest.mark.parametrize(("word", "state"), PROVIDER_WORDS)
def test_the_providers_words_have_their_states(md, word, state):
    assert md.upi_config().state_of(word) == state


# role, ids of its dashboards in order
ROLE_DASHBOARDS = [
    ("TEACHER", ["sdcrs-overview"]),
    ("VERIFIER", ["sdcrs-overview", "sdcrs-sla"]),
    ("SENIOR_VERIFIER", ["sdcrs-overview", "sdcrs-sla"]),
    ("MC_OFFICER", ["sdcrs-overview"]),
    ("MC_SUPERVISOR", ["sdcrs-overview", "sdcrs-sla", "sdcrs-performance"]),
    ("DISTRICT_ADMIN", ["sdcrs-overview", "sdcrs-payout", "sdcrs-sla", "sdcrs-performance"]),
    ("STATE_ADMIN", ["sdcrs-overview", "sdcrs-payout", "sdcrs-sla", "sdcrs-performance"]),
    ("AUDITOR", ["sdcrs-overview", "sdcrs-payout", "sdcrs-sla", "sdcrs-performance"]),
    ("SYSTEM", []),
]


@pytest.mark.parametrize(("role", "ids"), ROLE_DASHBOARDS)
def test_each_role_has_its_dashboards(md, role, ids):
    assert [dashboard.id for _, dashboard in md.dashboards_for(role)] == ids


def test_the_overview_has_its_charts_in_four_rows(md):
    rows = md.dashboards()["sdcrs-overview"].rows
    assert [len(row) for row in rows] == [3, 2, 1, 1]
    assert all(sum(tile.dimensions.width for tile in row) <= 12 for row in rows)
    assert len(md.charts()) == 22


def test_closed_counts_as_resolved_in_every_chart(md):
    for chart in md.charts().values():
        for query in chart.queries:
            text = str(query.aggr_query)
            assert ("'RESOLVED'" in text) == ("'CLOSED'" in text), chart.id


def test_no_account_may_have_the_roles_citizen_and_system(md):
    assert {role.code for role in md.roles() if not role.assignable} == {"CITIZEN", "SYSTEM"}
    assert {role.code for role in md.roles() if role.assignable} == {
        "TEACHER",
        "VERIFIER",
        "SENIOR_VERIFIER",
        "MC_OFFICER",
        "MC_SUPERVISOR",
        "DISTRICT_ADMIN",
        "STATE_ADMIN",
        "AUDITOR",
    }


def test_the_packets_topics_are_all_there(md):
    assert {topic.name for topic in md.topics()} == {
        "save-sdcrs-report",
        "update-sdcrs-report",
        "sdcrs-report-indexer",
        "sdcrs-validation-request",
        "egov.core.notification.sms",
        "upi-payout-create",
        "upi-payout-persist",
        "upi-payout-status",
        "upi-payout-error",
        "sdcrs-payout-callback",
    }


def test_every_shipped_file_stands_for_one_document():
    documents = read_folder()
    assert len({(document.tenant_id, *document.key) for document in documents}) == len(documents)
    assert all(document.version == 0 for document in documents)
