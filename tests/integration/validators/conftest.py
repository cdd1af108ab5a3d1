"""One service for a module; its script and what it heard are forgotten before each test."""

from collections.abc import Iterator

import pytest

from tests.validator_service import Service, open_service


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with open_service() as found:
        yield found


@pytest.fixture
def service(running: Service) -> Service:
    running.forget()
    return running
