"""Every address and port of the cluster, defined once.

All come from 198.18.0.0/15, set aside for benchmarks of network devices, so that
no machine's own network is shadowed.
"""

NODE_NAME = "qwen-node"
BRIDGE = "qwen0"
LOOPBACK = "127.0.0.1"
ALL_ADDRESSES = "198.18.0.0/15"
NODE_IP = "198.18.0.1"
SERVICE_RANGE = "198.18.64.0/20"
API_SERVICE_IP = "198.18.64.1"
DNS_SERVICE_IP = "198.18.64.10"
POD_RANGE = "198.18.128.0/20"
FAKE_POD_RANGE = "198.18.192.1/20"
CLUSTER_DOMAIN = "cluster.local"

# Loopback ports outside the well-known ones: an etcd of the machine's
# owner may be running on those.
ETCD_PORT = 12379
ETCD_PEER_PORT = 12380
API_PORT = 6443
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
PROXY_HEALTH_PORT = 10256
PROXY_METRICS_PORT = 10249
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
DNS_PORT = 53
DNS_HEALTH_PORT = 18080
DNS_READY_PORT = 18181
KWOK_PORT = 10247

API_URL = f"https://{NODE_IP}:{API_PORT}"
GPU = "nvidia.com/gpu"
