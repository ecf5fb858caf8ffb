"""Every reason that a status can give, most specific first, each with its meaning and remedy.

The order is the specification: of several pods' troubles the one that stands first is reported.
docs/troubleshooting.md is generated from this table.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reason tells a person.

    Attributes:
        means: what is the case.
        remedy: what to do next.
        resolves: it may pass without anybody acting, so the resource is progressing.
        failing: something is wrong, so status.failure is filled and events are warnings.
        accepted: the operator works towards the spec as it stands.
    """

    means: str
    remedy: str
    resolves: bool = False
    failing: bool = True
    accepted: bool = True


class Reason(Enum):
    """A CamelCase reason; its value is what it means."""

    InvalidSpec = Meaning(
        "The spec asks for something that cannot be.",
        "Correct the field that the message names; pods that run are left as they are.",
        accepted=False,
    )
    DoesNotFit = Meaning(
        "The model cannot fit the GPU that its pods would get, so none was started.",
        "Change one of what status.fit.instead names, or set spec.engine.skipFitCheck to true to"
        " try it all the same; pods that run are left as they are.",
        accepted=False,
    )
    NameTaken = Meaning(
        "An object that this resource needs exists already and belongs to somebody else.",
        "Rename this resource, or remove the other object if nobody needs it.",
    )
    ApplyRefused = Meaning(
        "The API server refused to create or change one of the resource's objects.",
        "Read the API server's words in the message: a quota, an admission policy or a missing"
        " permission of the operator's service account has to be changed by an administrator.",
        resolves=True,
    )
    FieldConflict = Meaning(
        "Somebody else keeps changing one of the resource's objects back; the operator restores it"
        " at growing intervals, and until then what runs is not what the spec asks for.",
        "Stop the field manager that the message names (a script, another controller, a GitOps"
        " tool that manages the object itself), or let it change the QwenDeployment instead.",
        resolves=True,
    )
    WaitingForGPU = Meaning(
        "No node has enough free GPUs for a pod.",
        "Free GPUs, add a node, ask for fewer in spec.resources.gpus, or check that the device"
        " plugin advertises spec.resources.gpuResourceName on the nodes.",
        resolves=True,
    )
    Unschedulable = Meaning(
        "No node can take a pod, for another reason than GPUs.",
        "Read the scheduler's words in the message and adapt spec.scheduling, spec.resources or"
        " the volume that spec.model.source names.",
        resolves=True,
    )
    QuotaExceeded = Meaning(
        "A ResourceQuota of the namespace does not allow another pod.",
        "Raise the quota, or ask for less in spec.resources or spec.replicas.",
        resolves=True,
    )
    PodSecurityViolation = Meaning(
        "The namespace's Pod Security level refuses the pod.",
        "Read the API server's words; model pods meet the restricted level unless an admission"
        " webhook changes them.",
        resolves=True,
    )
    PodsRefused = Meaning(
        "The API server refuses to create pods for another reason.",
        "Read the API server's words in the message.",
        resolves=True,
    )
    ImagePullFailed = Meaning(
        "kubelet cannot pull the container image.",
        "Check spec.triton.image for a typing error, spec.triton.imagePullSecrets, and that the"
        " node reaches the registry.",
        resolves=True,
    )
    ContainerConfigError = Meaning(
        "kubelet cannot create the container from its configuration.",
        "Create the Secret that spec.model.tokenSecretRef or spec.chat.apiKeySecretRef names, or"
        " correct its name and key.",
        resolves=True,
    )
    ContainerStartFailed = Meaning(
        "The node cannot start the container's program.",
        "Read the container runtime's words in the message: an image for another processor, a"
        " program that is missing in it, or the node's GPU runtime.",
        resolves=True,
    )
    PodStartFailed = Meaning(
        "kubelet cannot start the pod on its node.",
        "Read Kubernetes' words in the message: most often a volume that cannot be mounted or a"
        " network that cannot be set up.",
        resolves=True,
    )
    SharedMemoryTooSmall = Meaning(
        "The pod's shared memory (/dev/shm) is too small.",
        "Raise spec.triton.sharedMemorySize, and spec.resources.memory with it.",
    )
    DiskFull = Meaning(
        "A disk that the model is written to is full.",
        "Name a PersistentVolumeClaim that is large enough in spec.model.cache, or free the"
        " node's disk.",
    )
    ModelDownloadFailed = Meaning(
        "The weights could not be downloaded.",
        "Check that the node reaches the hub, and spec.model.tokenSecretRef for gated models.",
    )
    ModelNotFound = Meaning(
        "There are no weights at spec.model.source.",
        "Check the name on the hub, or the path inside the volume: it must hold config.json.",
    )
    ModelCorrupt = Meaning(
        "A file of the model is damaged or incomplete.",
        "Remove the model from the volume or cache and download it again; compare sizes and"
        " checksums.",
    )
    ModelUnsupported = Meaning(
        "The image's vLLM does not know this model's architecture or tokenizer.",
        "Choose a newer spec.triton.image, or another model.",
    )
    CudaOutOfMemory = Meaning(
        "The GPU's memory does not hold weights and activations.",
        "Use more GPUs (spec.resources.gpus with spec.engine.tensorParallelSize), a quantised"
        " model, or a smaller spec.engine.maxModelLen or maxNumSeqs; check that nothing else uses"
        " the GPU.",
    )
    KVCacheTooSmall = Meaning(
        "What is left of the memory holds no request of spec.engine.maxModelLen tokens.",
        "Lower spec.engine.maxModelLen to the figure in the message, or raise"
        " spec.engine.gpuMemoryUtilization (on the CPU spec.engine.cpuKvCacheSpace).",
    )
    GPUCountMismatch = Meaning(
        "The engine wants another number of GPUs than the pod has.",
        "Let spec.engine.tensorParallelSize x pipelineParallelSize be spec.resources.gpus.",
    )
    BadEngineArgument = Meaning(
        "vLLM refuses one of its engine arguments.",
        "Correct the argument that the message names in spec.engine or spec.engine.extraArgs.",
    )
    UnsupportedGPU = Meaning(
        "The GPU or its driver cannot run what was asked for.",
        "Use another dtype or quantisation, a newer driver, or schedule to other GPUs with"
        " spec.scheduling.nodeSelector.",
    )
    GPUError = Meaning(
        "A GPU, its driver or a kernel on it failed.",
        "Look at the node: Xid errors in its kernel log, nvidia-smi; drain it if the GPU is"
        " at fault.",
    )
    GPUCommunicationFailed = Meaning(
        "The GPUs of a pod could not talk to each other (NCCL).",
        "Raise spec.triton.sharedMemorySize, set NCCL_DEBUG to INFO in spec.triton.env and"
        " read the log; all GPUs of a pod must be healthy and on one node.",
    )
    OpenAIEndpointFailed = Meaning(
        "The model is loaded, but this image's vLLM gives no OpenAI endpoint, which the Service"
        " offers because spec.chat.apiKeySecretRef is set.",
        "Correct what the message names in spec.chat, or choose another spec.triton.image; without"
        " spec.chat.apiKeySecretRef the model is served on Triton's ports alone.",
    )
    ModelLoadFailed = Meaning(
        "The model could not be loaded.",
        "Read the line of the log in status.failure.logLine.",
    )
    OutOfMemory = Meaning(
        "The container was killed for using more main memory than its limit.",
        "Raise spec.resources.memory, or lower spec.engine.cpuKvCacheSpace or"
        " spec.triton.sharedMemorySize, which count too.",
    )
    EngineDead = Meaning(
        "vLLM's engine died while Triton went on; the pod is being restarted.",
        "If it returns by itself once, nothing; if it happens again, read status.failure.logLine"
        " and the container's previous log.",
    )
    StubCrashed = Meaning(
        "A process in the pod died, the backend's stub or Triton itself; the container is being"
        " restarted.",
        "If it returns by itself once, nothing; if it happens again, read the container's previous"
        " log (kubectl logs --previous).",
    )
    CrashLooping = Meaning(
        "The container ends again and again.",
        "Read status.failure.logLine and the container's previous log (kubectl logs --previous).",
    )
    Evicted = Meaning(
        "A node ended or refused a pod; another one is made.",
        "Read the node's words in the message, and look at it (kubectl describe node).",
        resolves=True,
    )
    NodeLost = Meaning(
        "The node of a pod does not answer any more; the pod is being replaced.",
        "Look at the node (kubectl get nodes); remove it from the cluster if it does not come"
        " back, else its pods stay as Terminating.",
        resolves=True,
    )
    ProbeFailing = Meaning(
        "The engine answers on :8002, but Kubernetes does not call the pod ready any more, so the"
        " Service sends it nothing.",
        "Look at the pod and its node (kubectl describe pod, kubectl get node): a node that lost"
        " its kubelet or its network shows like this.",
        resolves=True,
    )
    MetricsStale = Meaning(
        "kubelet calls the pod ready, but its engine shows no fresh heartbeat on :8002.",
        "If it stays so, check that the operator can reach the pods' port 8002 (NetworkPolicy),"
        " and look at the pod's log.",
        resolves=True,
    )
    ModelNotOffered = Meaning(
        "The engine lives, but Triton does not take requests for the model on :8000.",
        "If somebody unloaded the model (POST /v2/repository/models/NAME/unload), delete the pod to"
        " have it loaded again; if nobody answers, check that the operator can reach the pods' port"
        " 8000 (NetworkPolicy), and look at the pod's log.",
        resolves=True,
    )
    ModelLoading = Meaning(
        "Pods are starting and loading the model.",
        "Wait; spec.triton.loadTimeoutSeconds bounds it.",
        resolves=True,
        failing=False,
    )
    NotEnoughReplicas = Meaning(
        "Fewer pods exist than spec.replicas asks for.",
        "Wait; if it stays so, look at the events of the Deployment and its ReplicaSet.",
        resolves=True,
        failing=False,
    )
    Suspended = Meaning(
        "spec.suspend is true: no pod runs.",
        "Set spec.suspend to false to serve again.",
        failing=False,
    )
    ScaledToZero = Meaning(
        "spec.replicas is 0: no pod runs.",
        "Set spec.replicas to 1 or more to serve again.",
        failing=False,
    )
    Serving = Meaning(
        "All pods run the present configuration and answer.",
        "Nothing.",
        failing=False,
    )

    @property
    def rank(self) -> int:
        """0 for the most specific."""
        return list(Reason).index(self)


BY_NAME = {reason.name: reason for reason in Reason}
