"""An operator under test, and whether it has done what it should."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.api import QWENS, Api
from tests.integration.process import OperatorProcess

SWEEP = {"SWEEP_INTERVAL_SECONDS": "5"}


@contextmanager
def operating(
    kubeconfig: Path, namespace: str, folder: Path, **settings: str
) -> Iterator[OperatorProcess]:
    made = OperatorProcess(kubeconfig, namespace, folder, **SWEEP, **settings)
    try:
        yield made.wait_until_ready()
        assert "unexpectedly" not in made.log, made.log
    finally:
        made.end()


def complete(api: Api, namespace: str, name: str) -> bool:
    """All children exist, and the status speaks of the present generation."""
    body = api.one(QWENS, namespace, name) or {}
    seen = body.get("status", {}).get("observedGeneration")
    return len(api.children(namespace, name)) == 3 and seen == body["metadata"]["generation"]
