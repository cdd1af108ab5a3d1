"""A mistake in a document is refused with the file, the field and what is wrong with it."""

import copy
import json
from dataclasses import replace

import pytest

from pipeline.errors import AppError
from pipeline.masterdata.documents import Document, read_document
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.master import MasterData


@pytest.fixture(scope="module")
def shipped() -> list[Document]:
    return read_folder()


def changed(documents: list[Document], source: str, change) -> list[Document]:
    """The documents with one of them altered by `change(what its master holds)`."""
    altered = []
    for document in documents:
        content = copy.deepcopy(document.content) if document.source == source else document.content
        if document.source == source:
            change(content[document.master])
        altered.append(replace(document, content=content))
    return altered


def entry(items, name):
    return next(item for item in items if name in (item.get("code"), item.get("id"), item.get("state"), item.get("action")))


def state(master, name):
    return entry(master[0]["states"], name)


TYPES, REASONS, WORKFLOW = "SDCRS/ReportType.json", "SDCRS/RejectionReason.json", "workflow/BusinessService.json"
RULES, RISK, PENALTIES = (
    "FRAUD-DETECTION/FraudRules.json",
    "FRAUD-DETECTION/RiskScoreConfig.json",
    "FRAUD-DETECTION/ApplicantPenalties.json",
)
MESSAGES, SENDS, VILLE = "SDCRS/NotificationTemplate.json", "SDCRS/NotificationSend.json", "egov-location/dj.djibouti-ville.json"

STAGES, SCHEMAS, PARTNERS = "IDENTITY/Stages.json", "IDENTITY/IdSchema.json", "IDENTITY/Partners.json"

# file, the mistake, the field named, words of the detail
MISTAKES = [
    # within one document
    (TYPES, lambda m: m[2].update(slaHour=1), "ServiceType[StrayDogPack].slaHour", "did you mean slaHours?"),
    (TYPES, lambda m: m[2].pop("slaHours"), "ServiceType[StrayDogPack].slaHours", "is missing"),
    (TYPES, lambda m: m[2].update(slaHours="48"), "ServiceType[StrayDogPack].slaHours", "valid integer (found '48')"),
    (TYPES, lambda m: m[2].update(slaHours=0), "ServiceType[StrayDogPack].slaHours", "greater than 0"),
    (TYPES, lambda m: m[2].update(priority="URGENT"), "ServiceType[StrayDogPack].priority", "found 'URGENT'"),
    (TYPES, lambda m: m[2]["shortName"].pop("hi_IN"), "ServiceType[StrayDogPack].shortName.hi_IN", "is missing"),
    (TYPES, lambda m: m.append(dict(m[0])), "ServiceType", "StrayDogAggressive is there twice"),
    (RULES, lambda m: m[2]["condition"].update(treshold=5), "FraudRules[STD-003].condition.treshold", "did you mean threshold?"),
    (RULES, lambda m: m[2]["condition"].update(type="SPEED"), "FraudRules[STD-003].condition", "SPEED"),
    ("SDCRS/PayoutConfig.json", lambda m: m[0].update(amountPerReport=500.5), "PayoutConfig[STANDARD_PAYOUT].amountPerReport", "integer"),
    # identity
    (STAGES, lambda m: m["stages"].reverse(), "Stages.stages", "must be, in this order"),
    (STAGES, lambda m: m["stages"].pop(1), "Stages.stages", "must be, in this order"),
    (STAGES, lambda m: m["stages"].pop(4), "Stages.stages", "DEMO_DEDUPE and MANUAL_ADJUDICATION go together"),
    (STAGES, lambda m: m["stages"][0].update(attempts=0), "Stages.stages[SECUREZONE_NOTIFICATION].attempts", "greater than or equal"),
    (STAGES, lambda m: m["stages"].append(dict(m["stages"][0])), "Stages.stages", "SECUREZONE_NOTIFICATION is there twice"),
    (STAGES, lambda m: m["pauseRules"][0].pop("defaultAction"), "Stages.pauseRules[HOTLISTED_OPERATOR]", "go together"),
    (STAGES, lambda m: m["pauseRules"].append(dict(m["pauseRules"][0])), "Stages.pauseRules", "HOTLISTED_OPERATOR is there twice"),
    (STAGES, lambda m: m["dedupe"].update(reviewScore=99), "Stages.dedupe", "reviewScore is above duplicateScore"),
    (STAGES, lambda m: m["dedupe"].update(maxCandidates=201), "Stages.dedupe.maxCandidates", "200"),
    (STAGES, lambda m: m["numbers"].update(blockedSequences=["1"]), "Stages.numbers.blockedSequences", "3 to 10 digits"),
    (SCHEMAS, lambda m: m[0]["fields"].pop(1), "IdSchema[0.1].fields", "'fullName' does not exist"),
    (SCHEMAS, lambda m: m[0]["fields"].append({"name": "phone", "kind": "TEXT"}), "IdSchema[0.1].fields", "phone is there twice"),
    (SCHEMAS, lambda m: m[0]["fields"][1].update(pattern="("), "IdSchema[0].fields[fullName].pattern", "is no pattern"),
    (SCHEMAS, lambda m: m[0].update(handleFields=["fullName"]), "IdSchema[0.1].handleFields", "'fullName' is no text field"),
    (SCHEMAS, lambda m: m[0]["mandatory"][0].update(documents=["phone"]), "IdSchema[0.1].mandatory", "'phone' is no document"),
    (PARTNERS, lambda m: m[0].update(attributes=["shoeSize"]), "Partners[IDA].attributes", "'shoeSize' does not exist"),
    (PARTNERS, lambda m: m.append(dict(m[0])), "Partners", "IDA is there twice"),
    # tenants
    ("tenant/tenants.json", lambda m: m[0].update(timezone="Africa/Djibuti"), "tenants[dj].timezone", "is not a time zone"),
    ("tenant/tenants.json", lambda m: m[1].update(parentCode="dk"), "tenants[dj.djibouti-ville].parentCode", "'dk' does not exist"),
    ("tenant/tenants.json", lambda m: m[1].update(parentCode="ncr"), "tenants[dj.djibouti-ville].code", "must begin with 'ncr.'"),
    ("tenant/tenants.json", lambda m: m[0].pop("helpdesk"), "tenants[dj].helpdesk", "no tenant above has it"),
    (
        "tenant/tenants.json",
        lambda m: m.append({"code": "dj.obock", "name": "Obock", "parentCode": "dj"}),
        "TenantBoundary",
        "missing for dj.obock",
    ),
    ("tenant/tenants.json", lambda m: m.pop(2), "tenantId", "'dj.ali-sabieh' does not exist"),
    # workflow
    (
        WORKFLOW,
        lambda m: state(m, "VERIFIED")["actions"][0].update(nextState="ASIGNED"),
        "states[VERIFIED].actions[ASSIGN].nextState",
        "'ASIGNED'",
    ),
    (
        WORKFLOW,
        lambda m: state(m, "VERIFIED")["actions"][0].update(roles=["BOSS"]),
        "states[VERIFIED].actions[ASSIGN].roles",
        "role 'BOSS'",
    ),
    (WORKFLOW, lambda m: state(m, "CLOSED").update(isTerminateState=True), "states[CLOSED].isTerminateState", "no actions"),
    (WORKFLOW, lambda m: state(m, "REJECTED").update(isFinalState=False), "states[REJECTED].isFinalState", "must be true"),
    (WORKFLOW, lambda m: state(m, "CLOSED").update(publicState="DONE"), "states[CLOSED].publicState", "'DONE' does not exist"),
    (WORKFLOW, lambda m: state(m, "CLOSED").update(applicationStatus="RESOLVED"), "states[CLOSED].applicationStatus", "must equal"),
    (WORKFLOW, lambda m: state(m, "RESOLVED")["actions"].pop(0), "states[CLOSED]", "no chain of actions"),
    (
        WORKFLOW,
        lambda m: entry(state(m, "ASSIGNED")["actions"], "REASSIGN").update(when="ASSIGNEE_EMPTY"),
        "states[ASSIGNED].actions[REASSIGN].when",
        "twice",
    ),
    (
        WORKFLOW,
        lambda m: entry(state(m, "ASSIGNED")["actions"], "REASSIGN").pop("when"),
        "states[ASSIGNED].actions[REASSIGN].when",
        "exclude",
    ),
    (WORKFLOW, lambda m: state(m, "CAPTURED").update(isStartState=True), "states", "exactly one state must be the start"),
    (WORKFLOW, lambda m: m[0].update(businessService="PGR"), "BusinessServices", "named SDCRS"),
    # reasons, settings, messages
    (REASONS, lambda m: m[0].update(actions=["AUTO_REJECT"]), "RejectionReason[INVALID_GPS].actions", "'AUTO_REJECT' does not exist"),
    (REASONS, lambda m: m[0].update(actions=["REJECT"]), "RejectionReason[INVALID_GPS].isAuto", "only SYSTEM"),
    (REASONS, lambda m: m[0].update(aliases=["STALE_PHOTO"]), "RejectionReason", "STALE_PHOTO is there twice"),
    ("SDCRS/ResolutionType.json", lambda m: [item.update(triggersPayout=True) for item in m], "ResolutionType", "one that does not"),
    ("SDCRS/PayoutConfig.json", lambda m: m[0].update(active=False), "PayoutConfig", "exactly one"),
    (
        MESSAGES,
        lambda m: m[0].update(content="{trakingId} {trackingUrl}"),
        "NotificationTemplate[SDCRS_SUBMIT_TEACHER, en_IN].content",
        "{trakingId}",
    ),
    (MESSAGES, lambda m: m[0].update(content="{trackingId"), "NotificationTemplate[SDCRS_SUBMIT_TEACHER, en_IN].content", "expected '}'"),
    (MESSAGES, lambda m: m[0].update(content="{trackingId}"), "NotificationTemplate[SDCRS_SUBMIT_TEACHER]", "different placeholders"),
    (MESSAGES, lambda m: m.pop(1), "NotificationTemplate[SDCRS_SUBMIT_TEACHER]", "no text in hi_IN"),
    (SENDS, lambda m: m[0].update(templateId="SDCRS_SUBMITTED"), "NotificationSend[SUBMIT].templateId", "'SDCRS_SUBMITTED' does not exist"),
    (SENDS, lambda m: m[0].update(action="SEND"), "NotificationSend[SEND].action", "'SEND' does not exist"),
    (SENDS, lambda m: m[0].update(toState="VERIFIED"), "NotificationSend[SUBMIT].toState", "'VERIFIED' does not exist"),
    # fraud
    (RULES, lambda m: m[30]["condition"].update(validatorId="CAT"), "FraudRules[EXT-004].condition.validatorId", "'CAT' does not exist"),
    (RULES, lambda m: m[0].update(ruleType="EXTERNAL"), "FraudRules[STD-001].ruleType", "does not fit"),
    (RULES, lambda m: m[14]["action"].update(escalateToRole="MAYOR"), "FraudRules[SDCRS-015].action.escalateToRole", "role 'MAYOR'"),
    (RISK, lambda m: m["weights"].pop("LOC"), "FraudRules[STD-002].category", "'LOC' does not exist"),
    (RISK, lambda m: m["thresholds"]["LOW"].update(max=24), "RiskScoreConfig.thresholds", "without gap"),
    (PENALTIES, lambda m: m.reverse(), "ApplicantPenalties", "1, 2, 3"),
    (PENALTIES, lambda m: m[1].update(duration=None), "ApplicantPenalties[COOLDOWN].duration", "need one"),
    # dashboards
    (
        "DSS/MasterChartConfig.json",
        lambda m: m[0].update(drillChart="x"),
        "MasterChartConfig[sdcrsTotalReports].drillChart",
        "'x' does not exist",
    ),
    (
        "DSS/MasterChartConfig.json",
        lambda m: m[0]["queries"][0].update(aggrQuery="{"),
        "MasterChartConfig[sdcrsTotalReports].queries[0].aggrQuery",
        "JSON",
    ),
    ("DSS/DashboardConfig.json", lambda m: m[0].update(roleIds=["KING"]), "DashboardConfig[sdcrs-overview].roleIds", "role 'KING'"),
    (
        "DSS/RoleDashboardMapping.json",
        lambda m: m[0]["dashboards"][0].update(id="sdcrs-sla"),
        "RoleDashboardMapping[TEACHER]",
        "not for it",
    ),
    # boundaries
    (VILLE, lambda m: m["wards"].pop(), "wards", "do not tile"),
    (VILLE, lambda m: m["wards"][0].update(districtCode="DJ09"), "wards[W005].districtCode", "'DJ09' does not exist"),
    (VILLE, lambda m: m["wards"][0].update(code="W001"), "wards[W001]", "used before"),
    (VILLE, lambda m: m["localities"][0].update(latitude=11.5), "localities[DJC001]", "not in ward W005"),
    (VILLE, lambda m: m["boundary"]["coordinates"][0].insert(1, [43.5, 11.0]), "boundary", "not a proper polygon"),
    (VILLE, lambda m: m["boundary"]["coordinates"][0][0].append(12.0), "TenantBoundary.boundary.coordinates[0][0]", "at most 2"),
    (VILLE, lambda m: m["localities"][0].update(latitude=111.5), "TenantBoundary.localities[DJC001].latitude", "less than or equal to 90"),
]


@pytest.mark.parametrize(("source", "mistake", "field", "words"), MISTAKES)
def test_a_mistake_is_named_by_file_field_and_detail(shipped, source, mistake, field, words):
    with pytest.raises(AppError) as caught:
        MasterData(changed(shipped, source, mistake))
    error = caught.value
    assert error.code == "SDCRS_INVALID_MASTER_DATA"
    assert (error.params["field"], words in error.params["detail"]) == (field, True), error.message


def test_the_error_names_the_file(shipped):
    with pytest.raises(AppError) as caught:
        MasterData(changed(shipped, TYPES, lambda m: m[0].update(slaHour=1)))
    assert caught.value.message == (
        "SDCRS/ReportType.json: ServiceType[StrayDogAggressive].slaHour: is not a key of this document; did you mean slaHours?"
    )


def test_remarks_are_passed_over(shipped):
    MasterData(changed(shipped, TYPES, lambda m: m[0].update(_remark="agreed in March")))


def test_a_tenant_that_reaches_into_its_neighbour_is_refused(shipped):
    def swollen(boundary):
        ring = [[43.0, 11.4], [43.2, 11.4], [43.2, 11.5], [43.0, 11.5], [43.0, 11.4]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        boundary["boundary"] = boundary["wards"][0]["geometry"] = geometry
        boundary["wards"], boundary["localities"] = boundary["wards"][:1], []

    with pytest.raises(AppError, match="overlaps"):
        MasterData(changed(shipped, VILLE, swollen))


def test_a_missing_document_is_named(shipped):
    with pytest.raises(AppError, match="SDCRS/: PayoutConfig: is missing for common"):
        MasterData([document for document in shipped if document.master != "PayoutConfig"])
    with pytest.raises(AppError, match="there are no tenants"):
        MasterData([])


# what the file says, words of the answer
NOT_DOCUMENTS = [
    ("{", "is not JSON"),
    ("[]", "must be an object"),
    ('{"tenantId": "common"}', "moduleName: is missing"),
    ('{"tenantId": "common", "moduleName": "SDCRS"}', "exactly one master"),
    ('{"tenantId": "common", "moduleName": "SDCRS", "PayoutConfigs": []}', "PayoutConfig, RejectionReason"),
    ('{"tenantId": "common", "moduleName": "PGR", "Dog": []}', "known there: none"),
    ('{"tenantId": "dj", "moduleName": "tenant", "tenants": []}', "must have tenantId 'common'"),
]


@pytest.mark.parametrize(("text", "words"), NOT_DOCUMENTS)
def test_a_file_that_is_no_document_is_refused(text, words):
    with pytest.raises(AppError) as caught:
        read_document(text, "some.json")
    assert words in caught.value.message


def test_two_files_for_one_document_are_refused(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / "SDCRS").mkdir(exist_ok=True)
        (tmp_path / "SDCRS" / name).write_text(json.dumps({"tenantId": "common", "moduleName": "SDCRS", "topics": []}))
    with pytest.raises(AppError, match=r"SDCRS/b\.json: topics: was already given for common in SDCRS/a\.json"):
        read_folder(tmp_path)


def test_a_file_in_another_modules_folder_is_refused(tmp_path):
    (tmp_path / "DSS").mkdir()
    (tmp_path / "DSS" / "topics.json").write_text(json.dumps({"tenantId": "common", "moduleName": "SDCRS", "topics": []}))
    with pytest.raises(AppError, match="lies in the folder 'DSS'"):
        read_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(AppError, match="holds no master data"):
        read_folder(tmp_path)


def test_the_checksum_ignores_order_and_white_space():
    one = read_document('{"tenantId": "common", "moduleName": "SDCRS", "topics": [{"name": "a", "purpose": "b"}]}', "x")
    two = read_document('{"topics":[{"purpose":"b","name":"a"}],"moduleName":"SDCRS","tenantId":"common"}', "y")
    three = read_document('{"topics":[{"purpose":"c","name":"a"}],"moduleName":"SDCRS","tenantId":"common"}', "z")
    assert one.checksum == two.checksum != three.checksum
