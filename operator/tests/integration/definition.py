"""The definition of QwenDeployment, brought to that of this checkout."""

from pathlib import Path

import yaml

from tests.integration.api import Api, eventually

_ROOT = Path(__file__).resolve().parents[3]
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def apply_definition(api: Api) -> None:
    """Bring the definition to that of this checkout, and wait for the API."""
    text = (_ROOT / "crds" / "qwendeployments.yaml").read_text(encoding="utf-8")
    name = "qwendeployments.qwen-operator.dev"
    path = f"{_DEFINITIONS}/{name}?fieldManager=tests&force=true"
    api.call("PATCH", path, yaml.safe_load(text), "apply-patch+yaml")

    def established() -> bool:
        conditions = api.call("GET", f"{_DEFINITIONS}/{name}").get("status", {}).get("conditions")
        return any(each["type"] == "Established" for each in conditions or ())

    eventually("the definition is established", established)
