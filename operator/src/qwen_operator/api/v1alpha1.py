"""QwenDeployment, version v1alpha1: what a user may write in `spec`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from qwen_operator.api.base import RULES_KEY, Annotations, Part, rule, text
from qwen_operator.api.engine import Engine
from qwen_operator.api.model import Chat, Model
from qwen_operator.api.pod import PodTemplate, Resources, Scheduling, Triton

MOST_REPLICAS = 1000


class Rollout(Part):
    """How pods are replaced when their configuration changes."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.maxSurge > 0 || self.maxUnavailable > 0",
                    "spec.rollout.maxSurge and spec.rollout.maxUnavailable cannot both be 0: no pod"
                    " could ever be replaced; set one of them to 1",
                )
            ]
        }
    )

    max_surge: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pods started beyond spec.replicas; each needs free GPUs of its own, hence 0."""

    max_unavailable: Annotated[int, Field(ge=0, le=1000)] = 1
    """Pods that may be missing meanwhile."""


class Autoscaling(Part):
    """Leaves the number of pods to an autoscaler; spec.replicas is where it starts."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.minReplicas <= self.maxReplicas",
                    "spec.autoscaling.minReplicas may not be greater than"
                    " spec.autoscaling.maxReplicas",
                    ".minReplicas",
                ),
                rule(
                    "!has(self.metrics) || self.minReplicas >= 1",
                    "a HorizontalPodAutoscaler needs spec.autoscaling.minReplicas of at least 1; 0"
                    " is for an autoscaler of yours, with spec.autoscaling.metrics left out",
                    ".minReplicas",
                ),
            ]
        }
    )

    min_replicas: Annotated[int, Field(ge=0, le=MOST_REPLICAS)] = 1
    """Fewest pods."""

    max_replicas: Annotated[int, Field(ge=1, le=MOST_REPLICAS)]
    """Most pods."""

    metrics: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=8)] | None = None
    """Metrics as in a HorizontalPodAutoscaler's spec (autoscaling/v2), which the operator then
    makes. Without them an autoscaler of yours, KEDA say, scales the Deployment."""


class Service(Part):
    """The Service in front of the pods."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",
                    "spec.service.loadBalancerClass goes with spec.service.type LoadBalancer only",
                    ".loadBalancerClass",
                ),
                rule(
                    "!has(self.annotations) || self.annotations.all(k,"
                    " !k.startsWith('qwen-operator.dev/'))",
                    "spec.service.annotations: those below qwen-operator.dev/ are the operator's"
                    " own; use a prefix of yours",
                    ".annotations",
                ),
                rule(
                    "oldSelf.type != 'LoadBalancer' || self.type != 'LoadBalancer'"
                    " || has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass)"
                    " && (!has(self.loadBalancerClass)"
                    " || self.loadBalancerClass == oldSelf.loadBalancerClass)",
                    "spec.service.loadBalancerClass cannot change while the Service is a"
                    " LoadBalancer: set spec.service.type to ClusterIP first, then to LoadBalancer"
                    " with the other class",
                    ".loadBalancerClass",
                ),
            ]
        }
    )

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Service type."""

    annotations: Annotations = Field(default_factory=dict)
    """More annotations of the Service, as cloud load balancers ask for."""

    load_balancer_class: (
        Annotated[
            str,
            text(
                r"^[A-Za-z0-9._/-]+$",
                "spec.service.loadBalancerClass is a label-like name, such as example.com/internal",
                most=253,
            ),
        ]
        | None
    ) = None
    """Class of a LoadBalancer Service; it cannot change while the Service is one."""


class Spec(Part):
    """What should be served."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.resources.gpus == 0 || self.engine.tensorParallelSize *"
                    " self.engine.pipelineParallelSize == self.resources.gpus",
                    "spec.engine.tensorParallelSize x spec.engine.pipelineParallelSize must equal"
                    " spec.resources.gpus: every GPU of a pod takes part in the engine; change one"
                    " of the three",
                ),
                rule(
                    "self.resources.gpus > 0 || self.engine.tensorParallelSize *"
                    " self.engine.pipelineParallelSize == 1",
                    "with spec.resources.gpus 0 (serving on the CPU)"
                    " spec.engine.tensorParallelSize and spec.engine.pipelineParallelSize must"
                    " be 1",
                ),
                rule(
                    "!has(self.resources.memory) || !isQuantity(self.resources.memory)"
                    " || !isQuantity(self.triton.sharedMemorySize)"
                    " || quantity(self.resources.memory)"
                    ".isGreaterThan(quantity(self.triton.sharedMemorySize))",
                    "spec.resources.memory must be greater than spec.triton.sharedMemorySize:"
                    " /dev/shm counts against the container's memory",
                    ".resources.memory",
                ),
                rule(
                    "self.resources.gpus > 0 || !has(self.resources.memory)"
                    " || !isQuantity(self.resources.memory)"
                    " || !quantity(self.resources.memory).isInteger()"
                    " || quantity(self.resources.memory).asInteger()"
                    " > self.engine.cpuKvCacheSpace * 1073741824",
                    "with spec.resources.gpus 0 spec.resources.memory must be greater than"
                    " spec.engine.cpuKvCacheSpace (in GiB): the KV cache lies in main memory",
                    ".resources.memory",
                ),
                rule(
                    "!has(self.autoscaling) || (self.replicas >= self.autoscaling.minReplicas"
                    " || self.replicas == 1) && self.replicas <= self.autoscaling.maxReplicas",
                    "spec.replicas is where spec.autoscaling starts: it lies between minReplicas"
                    " and maxReplicas, or is left out",
                    ".replicas",
                ),
            ]
        }
    )

    model: Model
    chat: Chat = Field(default_factory=Chat)
    engine: Engine = Field(default_factory=Engine)
    triton: Triton = Field(default_factory=Triton)
    resources: Resources = Field(default_factory=Resources)
    replicas: Annotated[int, Field(ge=0, le=MOST_REPLICAS)] = 1
    """How many pods serve the model."""

    autoscaling: Autoscaling | None = None
    rollout: Rollout = Field(default_factory=Rollout)
    update_policy: Literal["OnChange", "Always"] = "OnChange"
    """When pods roll: OnChange, when this spec changes; Always, also when a new version of the
    operator, or another default image of it, renders the same spec differently."""

    scheduling: Scheduling = Field(default_factory=Scheduling)
    pod_template: PodTemplate | None = None
    service: Service = Field(default_factory=Service)
    suspend: bool = False
    """Stop all pods and free their GPUs, keeping everything else; set to false to serve again."""
