from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[None]:
    """One embedded Prefect for all tests that call a flow."""
    with prefect_test_harness(server_startup_timeout=240):
        yield
