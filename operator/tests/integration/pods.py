"""Pods of Deployments, called running and ready by a test where no kubelet would be."""

from typing import Any

from tests.integration.api import PODS, Api, Json, eventually, resource


def played(name: str, **spec: Any) -> Json:
    """A QwenDeployment of whose pods nobody but the test says anything.

    A scheduler would: that it finds no node for them, now and then after a test has called them
    ready, and no word of an engine says more than that.
    """
    nobody = {"spec": {"schedulerName": "nobody"}}
    return resource(name, podTemplate=nobody, **spec)


def pod_of(api: Api, namespace: str, name: str) -> Json:
    """The first pod of a resource, as soon as there is one."""
    selector = f"app.kubernetes.io/instance={name}"
    return eventually("a pod", lambda: api.all(PODS, namespace, selector))[0]


def make_ready(api: Api, namespace: str, name: str, address: str, *, is_ready: bool = True) -> Json:
    """Say what a kubelet would say of a resource's pod that is served, or starts, at an address."""
    pod = pod_of(api, namespace, name)
    container = {
        "name": "triton",
        "image": "x",
        "imageID": "",
        "ready": is_ready,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": str(is_ready)},
        ],
        "containerStatuses": [container],
    }
    api.merge(PODS, namespace, f"{pod['metadata']['name']}/status", {"status": status})
    return pod
