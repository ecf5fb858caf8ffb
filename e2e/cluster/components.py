"""The cluster's processes as a table: command, what each listens on, when it is ready."""

from dataclasses import dataclass

from e2e.cluster import addresses as at
from e2e.cluster.build import STAGES
from e2e.cluster.certificates import AUTHORITY, FRONT_AUTHORITY, SERVICE_ACCOUNT_KEY
from e2e.cluster.layout import Layout


@dataclass(frozen=True, slots=True)
class Component:
    """One process.

    `ready` is a URL that answers 200, or the path of a socket that accepts.
    `after` names the components that must be ready before it starts.
    """

    name: str
    argv: tuple[str, ...]
    ready: str
    listens: tuple[tuple[str, int], ...] = ()
    after: tuple[str, ...] = ()


def etcd(layout: Layout) -> Component:
    """The store; its data ends with the cluster, so it need not survive a power cut."""
    url = f"http://{at.LOOPBACK}:{at.ETCD_PORT}"
    peer = f"http://{at.LOOPBACK}:{at.ETCD_PEER_PORT}"
    argv = (
        layout.binary("etcd"),
        "--name=qwen",
        f"--data-dir={layout.live}/etcd",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=qwen={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    ports = ((at.LOOPBACK, at.ETCD_PORT), (at.LOOPBACK, at.ETCD_PEER_PORT))
    return Component("etcd", argv, f"{url}/health", ports)


def containerd(layout: Layout) -> Component:
    """The container runtime."""
    argv = ("containerd", "--config", f"{layout.config}/containerd.toml", "--log-level=info")
    return Component("containerd", argv, str(layout.containerd_socket))


def kube_apiserver(layout: Layout) -> Component:
    """The API server."""
    pki = layout.certificates
    argv = (
        layout.binary("kube-apiserver"),
        f"--bind-address={at.NODE_IP}",
        f"--advertise-address={at.NODE_IP}",
        f"--secure-port={at.API_PORT}",
        f"--etcd-servers=http://{at.LOOPBACK}:{at.ETCD_PORT}",
        f"--service-cluster-ip-range={at.SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        # ExtendedResourceToleration: a pod that asks for GPUs tolerates their nodes' taint.
        "--enable-admission-plugins=NodeRestriction,ExtendedResourceToleration",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/{AUTHORITY}.crt",
        f"--tls-cert-file={pki}/serving.crt",
        f"--tls-private-key-file={pki}/serving.key",
        f"--kubelet-certificate-authority={pki}/{AUTHORITY}.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{at.CLUSTER_DOMAIN}",
        f"--service-account-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
        f"--service-account-signing-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
        f"--requestheader-client-ca-file={pki}/{FRONT_AUTHORITY}.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        f"--audit-policy-file={layout.config}/audit.json",
        f"--audit-log-path={layout.log('audit')}",
        "--profiling=false",
    )
    listens = ((at.NODE_IP, at.API_PORT),)
    return Component("kube-apiserver", argv, f"{at.API_URL}/readyz", listens, ("etcd",))


def kube_controller_manager(layout: Layout) -> Component:
    """Deployments, volumes, endpoints, garbage, autoscaling."""
    pki = layout.certificates
    argv = (
        layout.binary("kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfigs}/kube-controller-manager",
        f"--authentication-kubeconfig={layout.kubeconfigs}/kube-controller-manager",
        f"--authorization-kubeconfig={layout.kubeconfigs}/kube-controller-manager",
        f"--bind-address={at.LOOPBACK}",
        f"--tls-cert-file={pki}/serving.crt",
        f"--tls-private-key-file={pki}/serving.key",
        f"--root-ca-file={pki}/{AUTHORITY}.crt",
        f"--service-account-private-key-file={pki}/{SERVICE_ACCOUNT_KEY}",
        f"--cluster-signing-cert-file={pki}/{AUTHORITY}.crt",
        f"--cluster-signing-key-file={pki}/{AUTHORITY}.key",
        f"--service-cluster-ip-range={at.SERVICE_RANGE}",
        "--use-service-account-credentials=true",
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--leader-elect=false",
        "--profiling=false",
    )
    url = f"https://{at.LOOPBACK}:{at.CONTROLLER_MANAGER_PORT}/healthz"
    listens = ((at.LOOPBACK, at.CONTROLLER_MANAGER_PORT),)
    return Component("kube-controller-manager", argv, url, listens, ("kube-apiserver",))


def kube_scheduler(layout: Layout) -> Component:
    """The scheduler."""
    pki = layout.certificates
    argv = (
        layout.binary("kube-scheduler"),
        f"--kubeconfig={layout.kubeconfigs}/kube-scheduler",
        f"--authentication-kubeconfig={layout.kubeconfigs}/kube-scheduler",
        f"--authorization-kubeconfig={layout.kubeconfigs}/kube-scheduler",
        f"--bind-address={at.LOOPBACK}",
        f"--tls-cert-file={pki}/serving.crt",
        f"--tls-private-key-file={pki}/serving.key",
        "--leader-elect=false",
        "--profiling=false",
    )
    url = f"https://{at.LOOPBACK}:{at.SCHEDULER_PORT}/healthz"
    listens = ((at.LOOPBACK, at.SCHEDULER_PORT),)
    return Component("kube-scheduler", argv, url, listens, ("kube-apiserver",))


def kube_proxy(layout: Layout) -> Component:
    """Service addresses."""
    argv = (layout.binary("kube-proxy"), f"--config={layout.config}/kube-proxy.json")
    url = f"http://{at.LOOPBACK}:{at.PROXY_HEALTH_PORT}/healthz"
    listens = ((at.LOOPBACK, at.PROXY_HEALTH_PORT), (at.LOOPBACK, at.PROXY_METRICS_PORT))
    return Component("kube-proxy", argv, url, listens, ("kube-apiserver",))


def kubelet(layout: Layout) -> Component:
    """The node."""
    argv = (
        layout.binary("kubelet"),
        f"--config={layout.config}/kubelet.json",
        f"--kubeconfig={layout.kubeconfigs}/kubelet",
        f"--root-dir={layout.kubelet}",
        f"--hostname-override={at.NODE_NAME}",
        f"--node-ip={at.NODE_IP}",
    )
    url = f"http://{at.LOOPBACK}:{at.KUBELET_HEALTH_PORT}/healthz"
    listens = ((at.NODE_IP, at.KUBELET_PORT), (at.LOOPBACK, at.KUBELET_HEALTH_PORT))
    return Component("kubelet", argv, url, listens, ("containerd", "kube-apiserver"))


def coredns(layout: Layout) -> Component:
    """Names of services."""
    argv = (layout.binary("coredns"), "-conf", f"{layout.config}/Corefile")
    url = f"http://{at.LOOPBACK}:{at.DNS_READY_PORT}/ready"
    ports = (at.DNS_READY_PORT, at.DNS_HEALTH_PORT)
    listens = ((at.NODE_IP, at.DNS_PORT), *((at.LOOPBACK, port) for port in ports))
    return Component("coredns", argv, url, listens, ("kube-apiserver",))


def kwok(layout: Layout) -> Component:
    """Nodes that only say that they run pods."""
    argv = (
        layout.binary("kwok"),
        f"--kubeconfig={layout.kubeconfigs}/kwok",
        f"--config={layout.binary(STAGES)}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--cidr={at.FAKE_POD_RANGE}",
        f"--node-ip={at.NODE_IP}",
        f"--server-address={at.LOOPBACK}:{at.KWOK_PORT}",
        "--node-lease-duration-seconds=40",
    )
    url = f"http://{at.LOOPBACK}:{at.KWOK_PORT}/healthz"
    listens = ((at.LOOPBACK, at.KWOK_PORT),)
    return Component("kwok", argv, url, listens, ("kube-apiserver",))


FOUNDATION = (containerd, etcd, kube_apiserver)
REST = (kube_controller_manager, kube_scheduler, kube_proxy, kubelet, coredns)
CONTROL_PLANE = (etcd, kube_apiserver, kube_controller_manager, kube_scheduler)


def foundation(layout: Layout) -> list[Component]:
    """What must run before anything can be asked of the API or the image store."""
    return [make(layout) for make in FOUNDATION]


def everything(layout: Layout) -> list[Component]:
    """The components of a cluster that can run pods."""
    return [make(layout) for make in (*FOUNDATION, *REST)]


def control_plane(layout: Layout) -> list[Component]:
    """The components of one that only says so: pods are kwok's, on fake nodes."""
    return [make(layout) for make in CONTROL_PLANE]
