"""Every role opens every page that it has, on an empty tenant: no page may fail for want of rows."""

import pytest

from dashboard import console
from tests import factories
from tests.console import tab, token_for

ROLES = ("TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR")
MATRIX = [(role, spec.path) for role in ROLES for spec in console.PAGES if role in spec.roles]


@pytest.mark.parametrize(("role", "path"), MATRIX, ids=[f"{role}-{path}" for role, path in MATRIX])
def test_every_role_opens_its_pages(rt, role, path):
    caller = factories.account(rt, f"{role[:10]}-{path}", role, tenant_id="dj" if role in ("STATE_ADMIN", "AUDITOR") else factories.VILLE)
    with tab(rt, token_for(rt, caller), path) as test:
        test.run()
        assert not test.exception
        assert not test.error


def test_the_matrix_names_every_role():
    assert set(ROLES) == console.EVERYONE
