"""What Kubernetes says when something is wrong, and what to do; the first that hits, as below."""

from collections.abc import Sequence

Remedies = Sequence[tuple[str, str]]

SCHEDULING: Remedies = (
    (
        r"DynamicResources|resource ?claim|cannot allocate all claims",
        (
            "A device that spec.podTemplate claims is not allocated: look at the ResourceClaim"
            " (kubectl get resourceclaims) and at the driver that should serve it."
        ),
    ),
    (
        r'persistentvolumeclaim "(?P<name>[^"]+)" not found',
        (
            "Create the PersistentVolumeClaim {name} in this namespace, or correct the name in"
            " spec.model.source or spec.model.cache."
        ),
    ),
    (
        r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes",
        (
            "Bind the claim that spec.model names (kubectl get pvc; kubectl describe pvc):"
            " its storage"
            " class must exist and provide a volume."
        ),
    ),
    (
        r"volume node affinity conflict|node\(s\) had no available volume zone",
        (
            "The volume of spec.model can only be used on other nodes or zones than those that are"
            " left: use storage that every GPU node reaches (ReadWriteMany), or free a node"
            " beside it."
        ),
    ),
    (r"exceed max volume count", "Every node has all the volumes it can hold: add a node."),
    (
        r"Insufficient (?P<what>memory|cpu|ephemeral-storage|hugepages\S*)",
        "No node has enough free {what}: ask for less in spec.resources, or add a node.",
    ),
    (r"Too many pods", "Every node runs as many pods as it may: add a node or raise maxPods."),
    (
        r"untolerated taint \{(?P<taint>[^}:]*)|had taint \{(?P<older>[^}:]*)",
        (
            "Add a toleration for the taint {taint}{older} in spec.scheduling.tolerations,"
            " if the nodes"
            " that carry it are meant for models."
        ),
    ),
    (
        r"didn't match (?:Pod's )?node (?:affinity|selector)",
        "No node has the labels that spec.scheduling.nodeSelector or affinity asks for.",
    ),
    (
        r"were unschedulable|were not ready|unreachable",
        "Nodes are cordoned or down: kubectl get nodes; kubectl uncordon NODE.",
    ),
    (
        r"pod (?:anti-)?affinity|topology spread|didn't have free ports",
        "Adapt spec.scheduling.affinity or spec.podTemplate: nodes with room are ruled out by it.",
    ),
)

PULLING: Remedies = (
    (
        r"toomanyrequests|429 Too Many|rate limit",
        (
            "The registry limits pulls: wait, or name credentials in"
            " spec.triton.imagePullSecrets, or"
            " use a mirror of {image}."
        ),
    ),
    (
        r"no match for (?:current )?platform|no matching manifest for|different architecture",
        (
            "{image} is not built for the node's processor: choose an image for it, or"
            " other nodes with"
            " spec.scheduling.nodeSelector (kubernetes.io/arch)."
        ),
    ),
    (
        r"pull access denied|insufficient_scope|repository does not exist or may require",
        (
            "Either {image} does not exist, or it may not be read without credentials:"
            " check the name"
            " in spec.triton.image, then the Secret in spec.triton.imagePullSecrets."
        ),
    ),
    (
        r"(?i)unauthorized|401|403|forbidden|denied|failed to authorize|no basic auth|authenticat",
        (
            "The registry refuses these credentials for {image}: name a Secret of type"
            " kubernetes.io/dockerconfigjson with valid ones in spec.triton.imagePullSecrets."
        ),
    ),
    (
        r"InvalidImageName|invalid reference format|couldn't parse image",
        "{image} is no image name, which are REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST.",
    ),
    (
        r"ErrImageNeverPull",
        "{image} is not on the node, and spec.triton.imagePullPolicy forbids to pull it.",
    ),
    (
        r"no space left on device",
        "The node's disk is full: free images there (crictl rmi --prune) or choose another node.",
    ),
    (
        r"(?i)manifest unknown|not found|name unknown|does not exist|404|NotFound",
        "The registry does not have {image}: correct name and tag in spec.triton.image.",
    ),
    (
        r"x509|certificate",
        (
            "The node does not trust the registry's certificate: install its CA in the container"
            " runtime's configuration."
        ),
    ),
    (
        r"no such host|i/o timeout|dial tcp|connection refused|TLS handshake|deadline exceeded|EOF",
        "The node does not reach the registry of {image}: check its network, DNS and proxy.",
    ),
)

CONFIGURATION: Remedies = (
    (
        r'secret "?(?P<name>[\w.-]+)"? not found',
        (
            "Create the Secret {name} in this namespace, or correct the name in"
            " spec.model.tokenSecretRef, spec.chat.apiKeySecretRef or spec.triton.env."
        ),
    ),
    (
        r"couldn't find key (?P<key>\S+) in Secret (?P<name>\S+)",
        (
            "Add the key {key} to the Secret {name}, or correct spec.model.tokenSecretRef.key,"
            " spec.chat.apiKeySecretRef.key or spec.triton.env."
        ),
    ),
    (
        r'configmap "?(?P<name>[\w.-]+)"? not found|couldn\'t find key \S+ in ConfigMap',
        "Create the ConfigMap {name} that spec.podTemplate names; the operator restores its own.",
    ),
    (
        r"runAsNonRoot|non-numeric user|run as root",
        (
            "The image runs as root, which the pod does not allow: use an image with a user"
            " of its own,"
            " or set runAsUser in spec.podTemplate."
        ),
    ),
)

STARTING: Remedies = (
    (
        r"stale (?:NFS )?file handle|: file exists|[Tt]ransport endpoint is not connected",
        (
            "The node's mount of a volume is stale: its server was restarted or moved. Delete the"
            " pod, so that it is mounted anew; if it stays so, drain the node and look at the"
            " storage driver."
        ),
    ),
    (
        r"failed to reserve (?:container|sandbox) name|is reserved for",
        (
            "The node is still making the container that it began before, most often since its disk"
            " is slow or full: wait some minutes, then look at the node's disk and container"
            " runtime."
        ),
    ),
    (
        r"exec format error",
        (
            "The image is built for another processor than the node's: choose another"
            " image, or nodes"
            " with spec.scheduling.nodeSelector (kubernetes.io/arch)."
        ),
    ),
    (
        r"executable file not found|no such file or directory",
        (
            "spec.triton.image does not hold the program that the pod starts: use an image"
            " of Triton"
            " with vLLM (nvcr.io/nvidia/tritonserver:YY.MM-vllm-python-py3)."
        ),
    ),
    (
        r"nvidia-container-cli|nvidia-container-runtime|CDI device|libnvidia-ml",
        (
            "NVIDIA's container toolkit on the node fails: check driver and toolkit there"
            " (nvidia-smi)."
        ),
    ),
    (r"permission denied", "The program in the image may not be run by the pod's user."),
)

NODE_STARTING: Remedies = (
    (
        r"nvidia-container-runtime|nvidia-container-cli|CDI device",
        "NVIDIA's container toolkit on the node is missing or fails: install it there.",
    ),
    (
        r'no runtime for "(?P<name>[^"]+)" is configured|RuntimeHandler "(?P<older>[^"]+)"',
        (
            "The node's container runtime does not know the handler {name}{older}: install NVIDIA's"
            " container toolkit there, or correct spec.scheduling.runtimeClassName."
        ),
    ),
    (
        r'(?:secret|configmap) "(?P<name>[^"]+)" not found',
        "Create {name} in this namespace, or correct the name in the spec.",
    ),
    (
        r'persistentvolumeclaim "(?P<name>[^"]+)" (?:not found|is being deleted)',
        (
            "Create the PersistentVolumeClaim {name}, or correct spec.model.source or"
            " spec.model.cache."
        ),
    ),
    (
        r"Multi-Attach error|exclusively attached to one node",
        (
            "The volume is attached to another node: it is ReadWriteOnce. Wait for the"
            " older pod to end"
            " or use a ReadWriteMany volume for several replicas."
        ),
    ),
    (
        r"(?i)failed to assign an IP|no IP addresses available|IPAM|address pool",
        "The node has no free pod address: add a node or enlarge the pod network.",
    ),
    (
        r"(?i)cni|network plugin|failed to setup network|set ?up network for sandbox",
        "The node's pod network is broken: look at its CNI pods (kubectl -n kube-system get pods).",
    ),
    (
        r"FailedAttachVolume|AttachVolume|attachdetachment|Attach timeout",
        (
            "The volume cannot be attached to the node: look at its storage driver (kubectl get"
            " volumeattachment; the CSI driver's pods)."
        ),
    ),
    (
        r"FailedMount|MountVolume|unmounted volumes|mount failed",
        (
            "The volume of spec.model cannot be mounted: check that its server answers and its path"
            " exists (kubectl describe pvc), and the node's mount helper."
        ),
    ),
    (r"no space left on device", "The node's disk is full: free it or choose another node."),
)

REFUSED: Remedies = (
    (
        r"[Ff]ailed quota: (?P<name>[^:]+): must specify (?P<what>.+)$",
        (
            "The quota {name} asks every pod for {what}: set spec.resources.cpu and"
            " spec.resources.memory."
        ),
    ),
    (
        (
            r"exceeded quota: (?P<name>[^,]+), requested: (?P<asked>.+?), used: (?P<used>.+?),"
            r" limited: (?P<most>[^\s]+)"
        ),
        (
            "The quota {name} allows {most}, of which {used} is used: raise it, end"
            " something else, or"
            " ask for less than {asked} in spec.resources or spec.replicas."
        ),
    ),
    (
        (
            r"(?:maximum|minimum) \S+ (?:usage )?per (?:Container|Pod) is|must be less than or"
            " equal to"
        ),
        "A LimitRange of the namespace bounds what a container may ask for: adapt spec.resources.",
    ),
    (
        r"[Nn]o PriorityClass with name (?P<name>\S+) was found",
        "Create the PriorityClass {name}, or correct spec.scheduling.priorityClassName.",
    ),
    (
        r'service ?account "?(?P<name>[\w./-]*)"? not found|serviceaccount "(?P<older>[^"]+)"',
        "The namespace lacks the ServiceAccount {name}{older}: create it.",
    ),
    (
        r'admission webhook "(?P<name>[^"]+)" denied',
        (
            "The admission webhook {name} refuses the pod: meet its policy with"
            " spec.podTemplate, or"
            " ask its owner for an exception."
        ),
    ),
    (
        r"RuntimeClass.*not found|runtimeclass\S* \"(?P<name>[^\"]+)\" not found",
        "Correct spec.scheduling.runtimeClassName: there is no such RuntimeClass.",
    ),
)

EVICTED: Remedies = (
    (
        r'EmptyDir volume "shm" exceeds',
        "Raise spec.triton.sharedMemorySize: /dev/shm grew past it.",
    ),
    (
        r"ephemeral[- ](?:local )?storage|DiskPressure|EmptyDir volume|inodes",
        (
            "The node's disk ran out: keep the weights on a PersistentVolumeClaim"
            " (spec.model.cache)"
            " instead of the node's disk, or use nodes with larger disks."
        ),
    ),
    (
        r"resource: memory|MemoryPressure",
        (
            "The node's memory ran out: set spec.resources.memory to what the model needs, so that"
            " Kubernetes reserves it."
        ),
    ),
    (
        r"(?i)devices unavailable|Allocate failed|no healthy devices|UnexpectedAdmission|gpu",
        (
            "The node's device plugin gives out fewer GPUs than the scheduler thinks it"
            " has: restart"
            " the device plugin's pod and kubelet there, or cordon the node and look for a"
            " lost GPU."
        ),
    ),
    (r"[Pp]reempt", "Give the model a higher priority in spec.scheduling.priorityClassName."),
    (r"[Ss]hutdown", "Nothing, if the node is being restarted on purpose."),
)
