"""A setting is looked up in the tenant, then in its state, then in what holds for everybody."""

import copy
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from pipeline.errors import AppError
from pipeline.masterdata.documents import Document
from pipeline.masterdata.files import load_folder, read_folder
from pipeline.masterdata.master import MasterData

VILLE = "dj.djibouti-ville"


@pytest.fixture(scope="module")
def md() -> MasterData:
    return load_folder()


def override(tenant_id: str, master: str, version: int, change) -> Document:
    """The shipped document of this master, altered, as the tenant's own."""
    document = next(document for document in read_folder() if document.master == master)
    content = copy.deepcopy(dict(document.content)) | {"tenantId": tenant_id}
    change(content[master])
    return replace(document, tenant_id=tenant_id, content=content, version=version)


def test_a_tenant_takes_from_its_state_what_it_does_not_say(md):
    ville, noida = md.tenant(VILLE), md.tenant("ncr.noida")
    assert (ville.timezone, ville.currency, ville.country_code, ville.state_code) == (ZoneInfo("Africa/Djibouti"), "INR", "+253", "DJ")
    assert (noida.timezone, noida.currency, noida.country_code, noida.state_code) == (ZoneInfo("Asia/Kolkata"), "INR", "+91", "NCR")
    assert (ville.parent_id, ville.state_id, ville.is_state) == ("dj", "dj", False)
    assert (md.tenant("dj").parent_id, md.tenant("dj").state_id, md.tenant("dj").is_state) == (None, "dj", True)
    assert ville.helpdesk == "8000-123-456"


@pytest.mark.parametrize(("tenant_id", "second_admin"), [("ncr.noida", True), (VILLE, False), ("dj.ali-sabieh", True)])
def test_a_tenant_may_say_otherwise_than_its_state(md, tenant_id, second_admin):
    assert md.tenant(tenant_id).manual_resolve_approval is second_admin


def test_descendants_begin_with_the_tenant_itself(md):
    assert md.descendants("dj") == ("dj", "dj.ali-sabieh", VILLE)
    assert md.descendants(VILLE) == (VILLE,)
    assert len(md.leaves("ncr")) == 6
    assert set(md.leaves()) == set(md.leaves("dj")) | set(md.leaves("ncr"))
    assert [tenant.id for tenant in md.tenants()][:2] == ["dj", "ncr"]


@pytest.mark.parametrize(
    "ask", ["tenant", "descendants", "workflow", "report_types", "payout_config", "fraud_rules", "wards", "boundary_geojson"]
)
def test_an_unknown_tenant_is_not_found(md, ask):
    with pytest.raises(AppError) as caught:
        getattr(md, ask)("dj.obock")
    assert caught.value.code == "SDCRS_NOT_FOUND"


def test_the_nearest_document_counts_whole():
    documents = [
        *read_folder(),
        override("ncr", "ValidationLimits", 4, lambda limits: limits.update(nearDuplicateMode="REVIEW")),
        override("ncr.noida", "ValidationLimits", 7, lambda limits: limits.update(maxPhotoAgeHours=24)),
    ]
    md = MasterData(documents)
    modes = {
        t: (md.validation_limits(t).near_duplicate_mode, md.validation_limits(t).max_photo_age_hours)
        for t in (VILLE, "ncr.gurugram", "ncr.noida")
    }
    assert modes == {VILLE: ("REJECT", 48), "ncr.gurugram": ("REVIEW", 48), "ncr.noida": ("REJECT", 24)}
    versions = [md.version_of("SDCRS", "ValidationLimits", tenant) for tenant in (VILLE, "ncr.gurugram", "ncr.noida")]
    assert versions == [0, 4, 7]


def test_a_tenant_may_have_its_own_workflow():
    def without_rating(services):
        resolved = next(state for state in services[0]["states"] if state["state"] == "RESOLVED")
        resolved["actions"] = [dict(action, active=action["action"] != "RATE") for action in resolved["actions"]]

    md = MasterData([*read_folder(), override(VILLE, "BusinessServices", 3, without_rating)])
    assert md.workflow(VILLE).pick("RESOLVED", "RATE") is None
    assert md.workflow("dj.ali-sabieh").pick("RESOLVED", "RATE") is not None
    assert (md.workflow(VILLE).version, md.workflow("dj.ali-sabieh").version) == (3, 0)


def test_an_inactive_entry_names_old_records_and_takes_no_new_ones():
    retired = override("dj", "ServiceType", 2, lambda types: types[2].update(active=False))
    md = MasterData([*read_folder(), retired])
    assert "StrayDogPack" not in md.report_types(VILLE)
    assert md.report_types(VILLE, retired=True)["StrayDogPack"].name == "Pack of dogs"
    assert "StrayDogPack" in md.report_types("ncr.noida")


def test_an_own_document_for_a_tenant_that_there_is_not_is_refused():
    with pytest.raises(AppError, match=r"tenant 'dj\.obock' does not exist"):
        MasterData([*read_folder(), override("dj.obock", "ValidationLimits", 1, lambda limits: None)])


def test_a_boundary_belongs_to_the_lowest_tenants_only():
    boundary = next(document for document in read_folder() if document.tenant_id == VILLE)
    with pytest.raises(AppError, match="has tenants below it"):
        MasterData([*read_folder(), replace(boundary, tenant_id="dj")])
