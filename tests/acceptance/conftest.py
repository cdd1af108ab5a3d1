"""The console and the API over one database for each module, and the people who work there."""

from contextlib import closing

import pytest

from pipeline.clock import SystemClock
from pipeline.database.engine import Database
from pipeline.runtime import assemble
from tests import factories
from tests.acceptance import desks
from tests.acceptance.town import open_town
from tests.conftest import ROLE_PREFIX


@pytest.fixture(scope="module")
def house(urls, settings):
    """Console and API over the module's own database, with the machine's own clock."""
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=4)) as database:
        rt = assemble(settings, database, SystemClock())
        with desks.house(settings, rt) as found:
            yield found


@pytest.fixture(scope="module")
def staff(house):
    return factories.people(house.rt)


@pytest.fixture(scope="module")
def town(rt):
    with open_town(rt) as found:
        yield found
