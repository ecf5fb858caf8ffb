"""Render every configuration file that a component reads; JSON wherever YAML is asked for."""

import json
from collections.abc import Mapping

from e2e.cluster import addresses as at
from e2e.cluster.certificates import AUTHORITY, CLIENTS
from e2e.cluster.layout import Layout

CNI_PLUGINS = "/usr/lib/cni"
COREDNS_KUBECONFIG = "coredns"


def kubeconfig(layout: Layout, client: str) -> Mapping[str, object]:
    """How a client reaches the API server."""
    pki = layout.certificates
    identity = {"client-certificate": f"{pki}/{client}.crt", "client-key": f"{pki}/{client}.key"}
    server = {"server": at.API_URL, "certificate-authority": f"{pki}/{AUTHORITY}.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "qwen", "cluster": server}],
        "users": [{"name": client, "user": identity}],
        "contexts": [{"name": "qwen", "context": {"cluster": "qwen", "user": client}}],
        "current-context": "qwen",
    }


def audit_policy() -> Mapping[str, object]:
    """Who did what to which object, for every request."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }


def kubelet(layout: Layout) -> Mapping[str, object]:
    """The kubelet's configuration."""
    pki = layout.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": at.NODE_IP,
        "port": at.KUBELET_PORT,
        "healthzBindAddress": at.LOOPBACK,
        "healthzPort": at.KUBELET_HEALTH_PORT,
        "tlsCertFile": f"{pki}/serving.crt",
        "tlsPrivateKeyFile": f"{pki}/serving.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/{AUTHORITY}.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/qwen-operator",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [at.DNS_SERVICE_IP],
        "clusterDomain": at.CLUSTER_DOMAIN,
        "resolvConf": f"{layout.config}/resolv.conf",
        "podLogsDir": f"{layout.live}/pod-logs",
        "volumePluginDir": f"{layout.kubelet}/volume-plugins",
        # Chains of its own would be left behind in the machine's tables.
        "makeIPTablesUtilChains": False,
        # Lowering a score takes a capability that a container may lack.
        "oomScoreAdj": 0,
        "maxPods": 250,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
    }


def kube_proxy(layout: Layout) -> Mapping[str, object]:
    """kube-proxy's configuration; zeros and no localhost node ports leave sysctls alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{layout.kubeconfigs}/kube-proxy"},
        "hostnameOverride": at.NODE_NAME,
        "clusterCIDR": at.POD_RANGE,
        "bindAddress": at.NODE_IP,
        "healthzBindAddress": f"{at.LOOPBACK}:{at.PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{at.LOOPBACK}:{at.PROXY_METRICS_PORT}",
        "oomScoreAdj": 0,
        "nodePortAddresses": [f"{at.NODE_IP}/32"],
        "iptables": {"localhostNodePorts": False, "minSyncPeriod": "100ms"},
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def cni(layout: Layout) -> Mapping[str, object]:
    """A cable from each pod to the node, so that pods meet by routing.

    On a bridge, a service's answer would go from pod to pod beside the address
    translation, unless the kernel's br_netfilter is there.
    """
    ranges = [[{"subnet": at.POD_RANGE}]]
    ipam = {
        "type": "host-local",
        "dataDir": f"{layout.live}/addresses",
        "ranges": ranges,
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "qwen",
        "plugins": [{"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": ipam}],
    }


def corefile(layout: Layout) -> str:
    """CoreDNS answers for the cluster and refuses the rest: the cluster has no way out."""
    return f"""{at.CLUSTER_DOMAIN}:{at.DNS_PORT} in-addr.arpa:{at.DNS_PORT} {{
    bind {at.NODE_IP}
    errors
    health {at.LOOPBACK}:{at.DNS_HEALTH_PORT}
    ready {at.LOOPBACK}:{at.DNS_READY_PORT}
    cache 5
    kubernetes {at.CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {layout.kubeconfigs}/{COREDNS_KUBECONFIG}
        ttl 5
    }}
}}
"""


def containerd(layout: Layout, sandbox_image: str) -> str:
    """The runtime with folders, sockets and network of our own.

    Without restrict_oom_score_adj, runc fails where CAP_SYS_RESOURCE is missing.
    """
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    unused = ", ".join(
        f'"io.containerd.snapshotter.v1.{name}"' for name in ("aufs", "btrfs", "devmapper", "zfs")
    )
    return f"""version = 2
root = "{layout.images}/containerd"
state = "{layout.live}/run/containerd"
disabled_plugins = [{unused}]

[grpc]
address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{layout.live}/opt"

[{cri}]
sandbox_image = "{sandbox_image}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
Root = "{layout.live}/run/runc"
SystemdCgroup = false

[{cri}.cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{layout.config}/cni"
"""


def files(layout: Layout, sandbox_image: str) -> dict[str, str]:
    """Every configuration file by its path below the live folder."""
    rendered: dict[str, Mapping[str, object]] = {
        "config/audit.json": audit_policy(),
        "config/kubelet.json": kubelet(layout),
        "config/kube-proxy.json": kube_proxy(layout),
        "config/cni/10-qwen.conflist": cni(layout),
        **{f"kubeconfig/{c.name}": kubeconfig(layout, c.name) for c in CLIENTS},
    }
    texts = {path: json.dumps(value, indent=2) + "\n" for path, value in rendered.items()}
    return texts | {
        "config/Corefile": corefile(layout),
        "config/containerd.toml": containerd(layout, sandbox_image),
        # Pods know the cluster's names; the machine's own resolver is not theirs.
        "config/resolv.conf": "",
    }
