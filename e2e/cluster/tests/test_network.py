"""What is ours among a machine's rules and links."""

from e2e.cluster.network import is_ours, pod_links, removal

OURS = "FORWARD -s 198.18.128.0/20 -m comment --comment qwen-operator -j ACCEPT"
SAVED = f"""*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
-A INPUT -i eth0 -j ACCEPT
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A {OURS}
-A KUBE-FORWARD -j KUBE-SERVICES
-A DOCKER -j RETURN
COMMIT
"""


def test_only_our_chains_and_the_rules_that_name_them_go() -> None:
    assert removal("filter", SAVED).splitlines() == [
        "*filter",
        '-D FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        f"-D {OURS}",
        "-F KUBE-SERVICES",
        "-F KUBE-FORWARD",
        "-X KUBE-SERVICES",
        "-X KUBE-FORWARD",
        "COMMIT",
    ]


def test_a_table_without_ours_is_left_alone() -> None:
    theirs = "\n".join(line for line in SAVED.splitlines() if not is_ours(line))
    assert "DOCKER" in theirs
    assert removal("filter", theirs) == ""


def test_links_of_pods_are_found_by_their_routes() -> None:
    routes = (
        '[{"dst":"198.18.128.3","dev":"veth2"},{"dst":"198.18.128.2","dev":"veth1"},'
        '{"dst":"198.18.128.1","dev":"qwen0"}]'
    )
    assert pod_links(routes) == ["veth1", "veth2"]
    assert pod_links("") == []
