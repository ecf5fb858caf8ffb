"""Namespaces that enforce the restricted level of Pod Security."""

from e2e.stack.commands import apply

LEVEL = "restricted"


def make_namespace(name: str) -> None:
    """Make one; in it a pod that asks for more than `restricted` allows is refused."""
    labels = {f"pod-security.kubernetes.io/{mode}": LEVEL for mode in ("enforce", "warn")}
    apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels},
        }
    )
