"""Putting the product onto the embedded cluster: images built and loaded, chart installed."""

from dataclasses import dataclass
from pathlib import Path

from e2e.stack.commands import ROOT, kubectl, module, run, shown, use_cluster

NAMESPACE = "qwen-system"
RELEASE = "qwen-operator"
CHART = ROOT / "charts" / "qwen-operator"
DEFINITION = "crd/qwendeployments.qwen-operator.dev"


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


def settings(images: Images) -> tuple[str, ...]:
    """Helm's options that name the images that were built here."""
    repository, _, tag = images.operator.rpartition(":")
    return (
        "--set",
        f"image.repository={repository},image.tag={tag}",
        "--set",
        f"defaultImages.cpu={images.triton_cpu}",
    )


def install_chart(
    images: Images,
    *options: str,
    chart: Path = CHART,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
) -> str:
    """Install or upgrade the chart, as a user would, with the images that were built here.

    Raises:
        CommandError: Helm refused, with its words.
    """
    said = run(
        *("helm", "upgrade", "--install", release, str(chart)),
        *("--namespace", namespace, "--create-namespace"),
        *settings(images),
        *options,
        *("--wait", "--timeout", "120s"),
        timeout=150,
    )
    kubectl("wait", "--for=condition=Established", DEFINITION)
    return said


def uninstall_chart(release: str = RELEASE, namespace: str = NAMESPACE) -> None:
    """Remove the release; the definition and every QwenDeployment stay."""
    place = ("--namespace", namespace, "--wait", "--ignore-not-found")
    run("helm", "uninstall", release, *place, timeout=90)
