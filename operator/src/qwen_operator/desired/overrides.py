"""`spec.podTemplate`: merged into the pod's spec as Kubernetes' strategic merge patch would be.

What the resource has a field for is refused with that field's name, so that one truth exists; what
would lower the pod's security is refused unless the administrator allows it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qwen_operator import naming
from qwen_operator.errors import InvalidSpec

Json = dict[str, Any]
Refusal = tuple[str, str]
"""Path below spec.podTemplate, and why it may not stand there."""

_WHERE = "spec.podTemplate"
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "hostAliases": "ip",
    "resourceClaims": "name",
}
_FIELDS = {
    "nodeSelector": "set spec.scheduling.nodeSelector instead",
    "tolerations": "set spec.scheduling.tolerations instead",
    "affinity": "set spec.scheduling.affinity instead",
    "priorityClassName": "set spec.scheduling.priorityClassName instead",
    "runtimeClassName": "set spec.scheduling.runtimeClassName instead",
    "imagePullSecrets": "set spec.triton.imagePullSecrets instead",
    "terminationGracePeriodSeconds": "set spec.triton.exitTimeoutSeconds instead",
    "nodeName": "it goes past the scheduler; set spec.scheduling.nodeSelector instead",
    "restartPolicy": "a Deployment restarts its pods always",
    "shareProcessNamespace": "the operator needs it for a clean end of Triton",
    "ephemeralContainers": "a template has none; use kubectl debug",
}
_CONTAINER_FIELDS = {
    "image": "set spec.triton.image instead",
    "imagePullPolicy": "set spec.triton.imagePullPolicy instead",
    "command": "the operator starts Triton",
    "args": "the operator starts Triton; engine arguments go to spec.engine",
    "startupProbe": "the operator sets it; see spec.triton.loadTimeoutSeconds",
    "readinessProbe": "readiness is the engine's, or the status would not be true",
    "livenessProbe": "the operator sets it",
    "terminationMessagePath": "the backend leaves its account of a failure there",
    "terminationMessagePolicy": "the backend leaves its account of a failure there",
}
_OUR_VOLUMES = {"repository", "tmp", "cache", "shm", "weights"}
_OUR_PATHS = ("/models", "/weights", "/adapters", "/cache", "/tmp", "/dev/shm")  # noqa: S108 - of the pod
_OUR_VARIABLES = {
    "HF_TOKEN",
    "HF_HOME",
    "HOME",
    "VLLM_CPU_KVCACHE_SPACE",
    naming.API_KEY_VARIABLE,
}
_SAFE_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_UNSAFE = "it lowers the pod's security, which an administrator has to allow"
_UNSAFE_SPEC = {
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
    "automountServiceAccountToken": True,
}
_UNSAFE_CONTEXT = {
    "privileged": True,
    "allowPrivilegeEscalation": True,
    "runAsNonRoot": False,
    "readOnlyRootFilesystem": False,
    "runAsUser": 0,
    "runAsGroup": 0,
}


def _objects(node: object, field: str) -> Iterator[tuple[str, Json]]:
    """The elements of a list that are objects, each with its path."""
    found = node.get(field) if isinstance(node, Mapping) else None
    for number, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, dict):
            yield f"{field}[{each.get('name', number)}]", each


def _inside(node: object, key: str) -> Any:  # noqa: ANN401 - any JSON value
    """A field of what may be no object at all."""
    return node.get(key) if isinstance(node, dict) else None


def _ill_formed(node: Any, where: str) -> Iterator[Refusal]:  # noqa: ANN401 - any JSON value
    """Directives, and elements that cannot be told apart."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("$"):
                yield f"{where}.{key}", "directives of strategic merge patches are not known here"
            name = _MERGE_KEYS.get(key)
            if name is not None and not (
                isinstance(value, list)
                and all(isinstance(each, dict) and name in each for each in value)
            ):
                yield f"{where}.{key}", f"it is a list of objects, each with its {name}"
            yield from _ill_formed(value, f"{where}.{key}")
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from _ill_formed(each, f"{where}[{number}]")


def _taken(spec: Mapping[str, Any]) -> Iterator[Refusal]:
    """What has a field of its own, or is the operator's."""
    for field, why in _FIELDS.items():
        if field in spec:
            yield f"spec.{field}", why
    for path, volume in _objects(spec, "volumes"):
        if volume.get("name") in _OUR_VOLUMES:
            yield f"spec.{path}", "this volume is the operator's; give yours another name"
    for path, container in _objects(spec, "containers"):
        if container.get("name") == naming.CONTAINER:
            yield from _taken_in_container(container, f"spec.{path}")


def _taken_in_container(container: Mapping[str, Any], where: str) -> Iterator[Refusal]:
    for field, why in _CONTAINER_FIELDS.items():
        if field in container:
            yield f"{where}.{field}", why
    for path, variable in _objects(container, "env"):
        if variable.get("name") in _OUR_VARIABLES:
            yield f"{where}.{path}", "the operator sets this variable"
    for path, mount in _objects(container, "volumeMounts"):
        target = str(mount.get("mountPath", "")).rstrip("/")
        if any(target == each or target.startswith(f"{each}/") for each in _OUR_PATHS):
            yield f"{where}.{path}", f"{target} is the operator's; mount yours elsewhere"
    for kind in ("requests", "limits"):
        if _inside(_inside(container.get("resources"), kind), "memory") is not None:
            yield f"{where}.resources.{kind}.memory", "set spec.resources.memory instead"


def _unsafe(spec: Mapping[str, Any]) -> Iterator[str]:
    """Paths of what the restricted Pod Security level or this operator's own promises forbid."""
    for field, bad in _UNSAFE_SPEC.items():
        if spec.get(field) == bad:
            yield f"spec.{field}"
    for field in ("serviceAccountName", "serviceAccount"):
        if field in spec:
            yield f"spec.{field}"
    yield from _unsafe_context(spec, "spec")
    yield from _unsafe_volumes(spec)
    for field in ("containers", "initContainers"):
        for path, container in _objects(spec, field):
            yield from _unsafe_context(container, f"spec.{path}")
            for port, each in _objects(container, "ports"):
                if "hostPort" in each:
                    yield f"spec.{path}.{port}.hostPort"


def _unsafe_volumes(spec: Mapping[str, Any]) -> Iterator[str]:
    for path, volume in _objects(spec, "volumes"):
        kinds = set(volume) - {"name"}
        yield from (f"spec.{path}.{kind}" for kind in sorted(kinds - _SAFE_VOLUMES))
        for source, each in _objects(volume.get("projected"), "sources"):
            if "serviceAccountToken" in each:
                yield f"spec.{path}.projected.{source}"


def _unsafe_context(holder: Mapping[str, Any], where: str) -> Iterator[str]:
    context = holder.get("securityContext")
    if not isinstance(context, dict):
        return
    where = f"{where}.securityContext"
    for field, bad in _UNSAFE_CONTEXT.items():
        # 0 == False in Python; a user id is no truth value.
        if field in context and context[field] == bad and type(context[field]) is type(bad):
            yield f"{where}.{field}"
    for field in ("sysctls", "procMount", "seLinuxOptions", "windowsOptions"):
        if context.get(field):
            yield f"{where}.{field}"
    if _inside(context.get("capabilities"), "add"):
        yield f"{where}.capabilities.add"
    for field in ("seccompProfile", "appArmorProfile"):
        if _inside(context.get(field), "type") == "Unconfined":
            yield f"{where}.{field}"


def _merged(base: Any, patch: Any, field: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(base, dict) and isinstance(patch, dict):
        made = {key: value for key, value in base.items() if patch.get(key, value) is not None}
        for key, value in patch.items():
            if value is not None:
                made[key] = _merged(base.get(key), value, key)
        return made
    key = _MERGE_KEYS.get(field)
    if key is None or not isinstance(base, list):
        return patch
    changes = {each[key]: each for each in patch}
    kept = [_merged(each, changes.pop(each[key], {}), "") for each in base]
    return [*kept, *changes.values()]


def overridden(spec: Json, patch: Mapping[str, Any], *, unsafe: bool) -> Json:
    """The pod's spec with `spec.podTemplate.spec` merged in.

    Args:
        spec: as the operator makes it.
        patch: what the user wants besides.
        unsafe: the administrator allows what lowers the pod's security.

    Raises:
        InvalidSpec: names every field that may not stand there, and what to do instead.
    """
    found = [*_ill_formed(dict(patch), "spec")] or [*_taken(patch)]
    if not unsafe:
        found += [(path, _UNSAFE) for path in _unsafe(patch)]
    if found:
        raise InvalidSpec("; ".join(f"{_WHERE}.{path}: {why}" for path, why in found))
    made: Json = _merged(spec, patch, "")
    return made
