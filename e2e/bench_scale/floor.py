"""What this API server takes on this machine before any operator has done anything.

The benchmark itself does the least that an operator must: it makes a QwenDeployment and, as soon
as that is answered, applies the Deployment that the operator would. No watch, no other child, no
status: no operator can be quicker here.
"""

import asyncio
import time
from typing import Any

from e2e.bench_scale.audit import BENCH_AGENT, AuditLog
from e2e.bench_scale.figures import Row, spread
from e2e.bench_scale.fleet import Fleet, at_rate, resource
from e2e.bench_scale.lags import lags, of
from e2e.bench_scale.operator_process import ROOT
from qwen_operator.api.resource import read_resource
from qwen_operator.desired.children import desired, with_applied_hash
from qwen_operator.desired.repository import Files, backend_files
from qwen_operator.settings import Settings

NAMESPACE = "bench-floor"
_QWENS = f"/apis/qwen-operator.dev/v1alpha1/namespaces/{NAMESPACE}/qwendeployments"
_DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_APPLY = "?fieldManager=qwen-operator&force=true"
_MOST = 300
_COOL_SECONDS = 5.0
_GONE_SECONDS = 300.0


def _backend() -> Files:
    folder = ROOT / "operator" / "src" / "qwen_triton"
    return backend_files({each.name: each.read_text() for each in folder.glob("*.py")})


def _deployment(body: dict[str, Any], backend: Files) -> dict[str, Any]:
    """The Deployment that the operator applies for a QwenDeployment, but nobody's."""
    made = with_applied_hash(desired(read_resource(body), Settings(), backend).deployment)
    # Its owner will be deleted without the garbage collector's help.
    kept = {key: value for key, value in made["metadata"].items() if key != "ownerReferences"}
    return {**made, "metadata": kept}


async def floor(fleet: Fleet, audit: AuditLog) -> list[Row]:
    """Measure, and leave nothing behind."""
    # The definition is new: the API server works on its schemas for a while.
    await asyncio.sleep(_COOL_SECONDS)
    count, began, backend = min(fleet.count, _MOST), time.time(), _backend()
    await fleet.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    async def one(number: int) -> None:
        made = await fleet.call("POST", _QWENS, resource(number))
        path = f"{_DEPLOYMENTS}/{made['metadata']['name']}{_APPLY}"
        await fleet.call("PATCH", path, _deployment(made, backend), "apply-patch+yaml")

    await at_rate(one, count)
    asked = audit.since(began, BENCH_AGENT)
    found = lags(of(asked, "create", "qwendeployments"), of(asked, "patch", "deployments"))
    for path in (_QWENS, _DEPLOYMENTS):
        await fleet.call("DELETE", path, {"propagationPolicy": "Background"})
    deadline = time.monotonic() + _GONE_SECONDS
    while (await fleet.call("GET", f"{_PODS}?limit=1"))["items"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"pods of {NAMESPACE} are still there")
        await asyncio.sleep(1)
    return spread(f"created → its Deployment, no operator, {count} times", found, {})
