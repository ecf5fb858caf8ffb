"""The QwenDeployments of a run: made and changed at a steady rate, their pods played by kwok."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import yaml

from e2e.bench_scale.audit import BENCH_AGENT
from e2e.bench_scale.engines import SERVED_NAME
from e2e.bench_scale.operator_process import ROOT
from e2e.cluster.addresses import API_URL, GPU
from e2e.cluster.api import context
from e2e.cluster.layout import Layout

Json = dict[str, Any]

NAMESPACE = "bench-scale"
RATE = 20.0
"""QwenDeployments that are made or changed a second."""
QWENS = f"/apis/qwen-operator.dev/v1alpha1/namespaces/{NAMESPACE}/qwendeployments"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_DEFINITION = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/qwendeployments.qwen-operator.dev"
)
_PODS_PER_NODE = 200


def name_of(number: int) -> str:
    """The name of the QwenDeployment with that number."""
    return f"qwen-{number:05d}"


def resource(number: int) -> Json:
    """The QwenDeployment with that number, as it is made."""
    return {
        "apiVersion": "qwen-operator.dev/v1alpha1",
        "kind": "QwenDeployment",
        "metadata": {"name": name_of(number)},
        "spec": {
            "model": {"source": "hf://Qwen/Qwen1.5-1.8B-Chat", "servedName": SERVED_NAME},
            "engine": {"gpuMemoryUtilization": 0.7},
            "resources": {"gpus": 1},
        },
    }


def _node(number: int) -> Json:
    """A node that kwok keeps ready, large enough for a few to hold every pod."""
    name = f"bench-{number}"
    room = {"cpu": "10k", "memory": "100Ti", "pods": "1k", GPU: "1k"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        # Pods that ask for GPUs tolerate this by admission; no other pod comes here.
        "spec": {"taints": [{"key": GPU, "value": "present", "effect": "NoSchedule"}]},
        "status": {"capacity": room, "allocatable": room},
    }


async def at_rate(one: Callable[[int], Coroutine[Any, Any, None]], count: int) -> None:
    """Begin `one` RATE times a second, whether or not those before have ended."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            group.create_task(one(number))


class Fleet:
    """All QwenDeployments of one run."""

    def __init__(self, session: aiohttp.ClientSession, count: int) -> None:
        self._session = session
        self.count = count

    async def call(
        self, method: str, path: str, body: Json | None = None, kind: str = "json"
    ) -> Json:
        """One request to the API server; its JSON.

        Raises:
            RuntimeError: it was refused, with the server's words.
        """
        headers = {"Content-Type": f"application/{kind}"}
        async with self._session.request(
            method, API_URL + path, json=body, headers=headers
        ) as said:
            answer: Json = await said.json()
            if not said.ok:
                raise RuntimeError(f"{method} {path}: {said.status}: {answer.get('message')}")
            return answer

    async def prepare(self) -> None:
        """Make the definition, the namespace and the nodes."""
        text = (ROOT / "crds" / "qwendeployments.yaml").read_text(encoding="utf-8")
        how = "?fieldManager=bench-scale&force=true"
        await self.call("PATCH", _DEFINITION + how, yaml.safe_load(text), "apply-patch+yaml")
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for number in range(self.count // _PODS_PER_NODE + 1):
            await self.call("POST", "/api/v1/nodes", _node(number))
        # The definition is served a moment after it was accepted.
        while True:
            with contextlib.suppress(RuntimeError, aiohttp.ContentTypeError):
                await self.call("GET", QWENS)
                return
            await asyncio.sleep(0.2)

    async def create(self) -> None:
        """Create all."""

        async def one(number: int) -> None:
            await self.call("POST", QWENS, resource(number))

        await at_rate(one, self.count)

    async def edit(self, count: int) -> None:
        """Change the first `count` so that model.json and the pods are rendered anew."""

        async def one(number: int) -> None:
            change = {"spec": {"engine": {"maxNumSeqs": 64}}}
            path = f"{QWENS}/{name_of(number)}"
            await self.call("PATCH", path, change, "merge-patch+json")

        await at_rate(one, count)

    async def statuses(self) -> dict[str, Json]:
        """Name → status."""
        found = (await self.call("GET", QWENS))["items"]
        return {each["metadata"]["name"]: each.get("status", {}) for each in found}

    async def reasons(self) -> dict[str, int]:
        """How many say what of Ready, of those whose status is of the present generation."""
        found: dict[str, int] = {}
        for each in (await self.call("GET", QWENS))["items"]:
            status = each.get("status", {})
            said = {c["type"]: c["reason"] for c in status.get("conditions", ())}
            current = status.get("observedGeneration") == each["metadata"]["generation"]
            reason = said.get("Ready", "none") if current else "none"
            found[reason] = found.get(reason, 0) + 1
        return found

    async def addresses(self) -> dict[str, str]:
        """Name of the QwenDeployment → address of its pod."""
        pods = (await self.call("GET", PODS))["items"]
        return {
            each["metadata"]["annotations"]["qwen-operator.dev/resource"]: each["status"]["podIP"]
            for each in pods
            if "deletionTimestamp" not in each["metadata"]
        }


@contextlib.asynccontextmanager
async def fleet(layout: Layout, count: int) -> AsyncIterator[Fleet]:
    """A fleet as the cluster's administrator."""
    connector = aiohttp.TCPConnector(ssl=context(layout), limit=32)
    headers = {"User-Agent": BENCH_AGENT, "Accept": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Fleet(session, count)
