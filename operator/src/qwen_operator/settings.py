"""What an administrator sets for the whole operator, read from the environment once at start."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qwen_operator.errors import InvalidSpec

PREFIX = "QWEN_OPERATOR_"


class Settings(BaseModel):
    """The operator's settings; each is the environment variable QWEN_OPERATOR_<NAME>."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to watch, comma separated; none means the whole cluster."""

    default_image: str = "nvcr.io/nvidia/tritonserver:26.08-vllm-python-py3"
    """Image of model pods whose spec.triton.image is not set and which ask for GPUs."""

    default_cpu_image: str = "localhost/triton-cpu:dev"
    """Image of model pods whose spec.triton.image is not set and which ask for no GPU."""

    gpu_product: Annotated[str, Field(max_length=63)] = ""
    """Which GPU all nodes have, where they are alike, as in NVIDIA-L4 or 24GiB: for status.fit of
    resources that do not say it themselves."""

    allow_unsafe_pod_templates: bool = False
    """Whether spec.podTemplate may lower a pod's security: host namespaces and paths, privileges,
    another service account."""

    allow_trust_remote_code: bool = False
    """Whether spec.engine.extraArgs may hold trust_remote_code, by which code from the model
    repository runs inside the pod."""

    scrape_interval_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How often each model pod's :8002 is read."""

    scrape_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """How long one scrape may take."""

    scrape_concurrency: Annotated[int, Field(ge=1, le=1024)] = 64
    """How many scrapes run at once."""

    sweep_interval_seconds: Annotated[float, Field(ge=5, le=3600)] = 180.0
    """How often everything is listed anew, in case a watch lost something."""

    workers: Annotated[int, Field(ge=1, le=1024)] = 256
    """How many resources are reconciled at once; nearly all of that is waiting for answers."""

    lease_namespace: str = ""
    """Namespace of the lease by which one of several operators leads; without it none is used,
    and no second operator may run."""

    lease_name: str = "qwen-operator"
    """Name of that lease."""

    lease_identity: str = ""
    """Who this operator is in the lease; the host's name and some random letters when left out."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of /metrics, /healthz and /readyz."""

    page_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the fleet page; 0 means there is none."""

    page_hosts: tuple[str, ...] = ()
    """Names under which browsers reach the page, comma separated. Without any it listens on the
    pod's loopback alone, for kubectl port-forward; with some on all addresses, for a Service."""

    page_chat: bool = False
    """Whether the page has a chat box: whoever reaches the page may then ask the models."""

    log_format: Annotated[str, Field(pattern="^(text|json)$")] = "text"
    """text or json."""

    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    """debug, info, warning or error; debug adds a line for each pass over a resource."""

    @field_validator("watch_namespaces", "page_hosts", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        if isinstance(given, str):
            return tuple(name.strip() for name in given.split(",") if name.strip())
        return given


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises:
        InvalidSpec: a variable of ours is unknown or out of bounds; the text names it.
    """
    source = os.environ if environment is None else environment
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in source.items()
        if name.startswith(PREFIX) and value != ""
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as problem:
        lines = [
            f"{PREFIX}{str(each['loc'][0]).upper()}={each['input']!r}: {each['msg']}"
            for each in problem.errors()
        ]
        raise InvalidSpec("; ".join(lines)) from problem
