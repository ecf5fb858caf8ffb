"""Putting the product onto the embedded cluster: images built and loaded, chart installed."""

from dataclasses import dataclass

from e2e.stack.commands import ROOT, kubectl, module, run, shown, use_cluster

NAMESPACE = "qwen-system"
RELEASE = "qwen-operator"


@dataclass(frozen=True, slots=True)
class Images:
    """References of the two images that run here."""

    operator: str
    triton_cpu: str


def build_images() -> Images:
    """Build what is missing; progress goes to standard error."""
    lines = shown(*module("images", "build", "operator", "triton-cpu")).splitlines()
    found = dict(line.split(maxsplit=1) for line in lines if line.strip())
    return Images(operator=found["operator"], triton_cpu=found["triton-cpu"])


def start_cluster(*options: str) -> None:
    """Start the cluster, or what of it does not run."""
    shown(*module("e2e.cluster", "up", *options))
    use_cluster()


def load_images(images: Images) -> None:
    """Make both images runnable in pods."""
    shown(*module("e2e.cluster", "load-image", images.operator, images.triton_cpu))


def install_chart(images: Images) -> None:
    """Install or upgrade the chart, as a user would, with the images that were built here."""
    repository, _, tag = images.operator.rpartition(":")
    run(
        "helm",
        "upgrade",
        "--install",
        RELEASE,
        str(ROOT / "charts" / "qwen-operator"),
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--set",
        f"image.repository={repository},image.tag={tag}",
        "--set",
        f"defaultImages.cpu={images.triton_cpu}",
        "--wait",
        "--timeout",
        "120s",
        timeout=150,
    )
    kubectl("wait", "--for=condition=Established", "crd/qwendeployments.qwen-operator.dev")


def uninstall_chart() -> None:
    """Remove the release; the definition and every QwenDeployment stay."""
    run("helm", "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", timeout=90)
    kubectl("get", "crd/qwendeployments.qwen-operator.dev")
