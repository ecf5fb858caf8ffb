"""What others' rules say of the chart and of what the operator makes: `python -m charts.lint`.

kube-score runs in the tests, too; kube-linter and Trivy take minutes to build and are run by hand.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from charts import rules
from charts.rendering import ROOT, render
from e2e.stack.gotool import gotool

_MODULES: Final = ROOT / "charts" / "linters"
_CHILDREN: Final = ROOT / "operator" / "tests" / "unit" / "cases"
CASES: Final = ("adapters-parsers-and-a-key", "recipe-on-a-gpu")
"""Golden cases of the operator whose children are linted."""


class Finding(NamedTuple):
    """One complaint.

    Attributes:
        rule: the linter's name of the rule.
        kind: of the object.
        name: of the object.
        words: what it says.
    """

    rule: str
    kind: str
    name: str
    words: str


EXCUSED: Final[dict[tuple[str, str], str]] = {
    ("container-image-pull-policy", "*"): "image.pullPolicy is a value; digests are better still",
    ("container-resources", "operator"): "a CPU limit would make a late operator, a slow engine",
    ("container-resources", "model"): "spec.resources is its owner's; a CPU limit slows an engine",
    ("container-ephemeral-storage-request-and-limit", "model"): (
        "how much a model needs depends on whether it is downloaded; spec.podTemplate can set it"
    ),
    ("pod-probes-identical", "model"): (
        "one page knows whether the engine lives; they differ in how often it may fail"
    ),
    ("deployment-replicas", "model"): "how many GPUs to pay for is the owner's wish",
    ("unset-cpu-requirements", "model"): "spec.resources.cpu is the owner's to set",
    ("unset-memory-requirements", "model"): "spec.resources.memory is the owner's to set",
}
"""(rule, whose object) → why it is not followed; `*` for both."""


def objects() -> list[dict[str, Any]]:
    """The chart with two operators and closed networks, and children of two resources."""
    options = "replicas=2,networkPolicy.enabled=true,networkPolicy.models.namespaces={models}"
    made = [each for each in render("--set", options) if "Definition" not in each["kind"]]
    for case in CASES:
        text = (_CHILDREN / case / "children.yaml").read_text(encoding="utf-8")
        made += yaml.safe_load(text)
    return made


def _asked(tool: str, package: str, *options: str) -> Any:  # noqa: ANN401 - any JSON
    program = gotool(_MODULES / tool, package)
    given = yaml.safe_dump_all(objects())
    done = subprocess.run(
        [str(program), *options], input=given, capture_output=True, text=True, check=False
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{tool} said no JSON: {done.stderr[-2000:]}") from None


def kube_score() -> list[Finding]:
    """Everything that kube-score marks down."""
    score_of_good = 10
    made = _asked(
        "kube-score", "github.com/zegl/kube-score/cmd/kube-score", "score", "-o", "json", "-"
    )
    return [
        Finding(
            check["check"]["id"],
            each["type_meta"]["kind"],
            each["object_meta"]["name"],
            "; ".join(comment["summary"] for comment in check["comments"] or ()),
        )
        for each in made
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < score_of_good
    ]


def kube_linter() -> list[Finding]:
    """Everything that kube-linter's default rules find."""
    package = "golang.stackrox.io/kube-linter/cmd/kube-linter"
    made = _asked("kube-linter", package, "lint", "--format", "json", "-")
    return [
        Finding(
            each["Check"],
            each["Object"]["K8sObject"]["GroupVersionKind"]["Kind"],
            each["Object"]["K8sObject"]["Name"],
            each["Diagnostic"]["Message"],
        )
        for each in made["Reports"] or ()
    ]


def trivy() -> list[str]:
    """What Trivy's checks find in every golden rendering, and nobody has a reason for."""
    program = gotool(_MODULES / "trivy" / "go", experiment="jsonv2")
    bodies = {
        f"{at}.yaml": each for at, each in enumerate(rules.rendered()) if rules.is_whole(each)
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, body in bodies.items():
            Path(folder, name).write_text(yaml.safe_dump(body), encoding="utf-8")
        done = subprocess.run([str(program), folder], capture_output=True, text=True, check=True)
    return rules.complaints(json.loads(done.stdout), bodies)


def excuse(finding: Finding) -> tuple[str, str] | None:
    """The key of EXCUSED that a finding falls under."""
    whose = "operator" if "qwen-operator" in finding.name else "model"
    keys = ((finding.rule, whose), (finding.rule, "*"))
    return next((each for each in keys if each in EXCUSED), None)


def unexcused(findings: Iterable[Finding]) -> list[Finding]:
    """Those that nobody has a reason for."""
    return [each for each in findings if excuse(each) is None]


def main() -> int:
    """Run all three; the exit status is 0 when nothing is found without an excuse."""
    findings = kube_score() + kube_linter()
    for each in findings:
        key = excuse(each)
        reason = f"excused: {EXCUSED[key]}" if key else "NOT EXCUSED"
        sys.stdout.write(f"{each.rule} {each.kind}/{each.name}: {each.words} ({reason})\n")
    unknown = trivy()
    sys.stdout.writelines(f"{each} (NOT EXCUSED)\n" for each in unknown)
    return 1 if unexcused(findings) or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
