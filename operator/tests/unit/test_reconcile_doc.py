"""docs/reconcile.md says of each field whether it restarts pods; here each line is tried."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from qwen_operator.api.resource import read_resource
from qwen_operator.api.schema import definition, fields
from qwen_operator.desired.children import desired
from qwen_operator.desired.repository import backend_files
from qwen_operator.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
ROWS = dict(
    re.findall(
        r"^\| `(spec\.[^`]+)` \| (restart|live) \|",
        (ROOT / "docs" / "reconcile.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
)
SOURCES = {"model.py": "x = 1\n", "__init__.py": ""}
BACKEND = backend_files(SOURCES)
GPU = {"model": {"source": "hf://a/b"}}
CPU = {"model": {"source": "hf://a/b"}, "resources": {"gpus": 0}}

OTHER: dict[str, Any] = {
    "spec.model.source": "hf://a/c",
    "spec.model.revision": "v2",
    "spec.model.servedName": "other",
    "spec.model.tokenSecretRef": {"name": "hub"},
    "spec.model.cache": {"claimName": "cache"},
    "spec.chat.systemPrompt": "Be brief.",
    "spec.chat.template": "{{ messages }}",
    "spec.chat.toolCallParser": "hermes",
    "spec.chat.reasoningParser": "qwen3",
    "spec.chat.apiKeySecretRef": {"name": "door"},
    "spec.engine.dtype": "half",
    "spec.engine.gpuMemoryUtilization": 0.7,
    "spec.engine.maxModelLen": 2048,
    "spec.engine.enforceEager": True,
    "spec.engine.tensorParallelSize": 2,
    "spec.engine.pipelineParallelSize": 2,
    "spec.engine.quantization": "awq",
    "spec.engine.kvCacheDtype": "fp8",
    "spec.engine.maxNumSeqs": 8,
    "spec.engine.maxQueuedRequests": 100,
    "spec.engine.loraAdapters": [{"name": "poet", "source": "hf://a/poet"}],
    "spec.engine.maxLoraRank": 32,
    "spec.engine.enablePrefixCaching": False,
    "spec.engine.cpuKvCacheSpace": 2,
    "spec.engine.skipFitCheck": True,
    "spec.engine.extraArgs": {"seed": 7},
    "spec.triton.image": "other:1",
    "spec.triton.imagePullPolicy": "Always",
    "spec.triton.imagePullSecrets": ["pull"],
    "spec.triton.env": [{"name": "A", "value": "b"}],
    "spec.triton.sharedMemorySize": "2Gi",
    "spec.triton.vllmVersion": "0.11.0",
    "spec.triton.logVerbose": 1,
    "spec.triton.exitTimeoutSeconds": 60,
    "spec.triton.instances": 2,
    "spec.triton.loadTimeoutSeconds": 60,
    "spec.resources.gpus": 2,
    "spec.resources.gpuResourceName": "amd.com/gpu",
    "spec.resources.gpuProduct": "L4",
    "spec.resources.cpu": "2",
    "spec.resources.memory": "8Gi",
    "spec.scheduling.nodeSelector": {"gpu": "h200"},
    "spec.scheduling.tolerations": [{"operator": "Exists"}],
    "spec.scheduling.affinity": {"nodeAffinity": {}},
    "spec.scheduling.priorityClassName": "high",
    "spec.scheduling.runtimeClassName": "nvidia",
    "spec.replicas": 3,
    "spec.autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "spec.rollout.maxSurge": 1,
    "spec.rollout.maxUnavailable": 2,
    "spec.service.type": "NodePort",
    "spec.service.annotations": {"a.b/c": "d"},
    "spec.service.loadBalancerClass": "a/b",
    "spec.updatePolicy": "Always",
    "spec.podTemplate": {"metadata": {"labels": {"a": "b"}}},
    "spec.suspend": True,
}


def _template(spec: dict[str, Any]) -> Any:
    metadata = {"namespace": "n", "name": "q", "uid": "u", "generation": 1}
    made = desired(read_resource({"metadata": metadata, "spec": spec}), Settings(), BACKEND)
    return next(each for each in made.children if each["kind"] == "Deployment")["spec"]["template"]


def _with(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(spec)
    node = changed
    *parents, leaf = path.split(".")[1:]
    for part in parents:
        node = node.setdefault(part, {})
    node[leaf] = value
    return changed


@pytest.mark.parametrize("path", sorted(OTHER))
def test_a_field_restarts_pods_exactly_when_the_page_says_so(path: str) -> None:
    spec = CPU if path == "spec.engine.cpuKvCacheSpace" else GPU
    rolls = _template(spec) != _template(_with(spec, path, OTHER[path]))
    assert ROWS[path] == ("restart" if rolls else "live")


def test_the_page_and_this_test_know_every_field_of_the_spec() -> None:
    schema = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    whole = {path for path in OTHER if isinstance(OTHER[path], dict)}
    leaves = {
        path
        for path, field in fields(schema, "spec")
        if "properties" not in field
        # What a list holds is of one piece with it.
        and "[]" not in path
        and not any(path.startswith(f"{each}.") for each in whole)
    }
    with_parts = leaves | {path for path in whole if path not in leaves}
    assert with_parts == set(OTHER) == set(ROWS)


def test_a_new_backend_rolls_pods() -> None:
    metadata = {"namespace": "n", "name": "q", "uid": "u", "generation": 1}
    resource = read_resource({"metadata": metadata, "spec": GPU})
    one = desired(resource, Settings(), BACKEND)
    other = desired(resource, Settings(), backend_files({**SOURCES, "model.py": "x = 2\n"}))
    assert one.config_hash != other.config_hash
