"""How the outages ended that went on beside the other tests (`outages.py`)."""

from concurrent.futures import Future

import pytest

from tests.integration.outages import CATCH_UP_SECONDS, NAMES


@pytest.mark.parametrize("which", NAMES)
def test_an_outage_costs_no_child_and_is_caught_up_with_within_30_s(
    outages: dict[str, Future[float]], which: str
) -> None:
    assert outages[which].result(300) < CATCH_UP_SECONDS
