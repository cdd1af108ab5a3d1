"""People for the tests on a database of their own module."""

from uuid import uuid4

import pytest

from tests import factories


@pytest.fixture(scope="module")
def staff(rt):
    return factories.people(rt)


@pytest.fixture
def teacher(rt):
    """A teacher of the test's own, in a place of its own: what others reported does not count, nor their five reports a day."""
    return factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
