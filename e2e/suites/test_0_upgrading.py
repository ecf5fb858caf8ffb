"""The published chart is upgraded to this one while a model serves: nobody notices."""

import pytest
import yaml

from e2e.stack.commands import ROOT, CommandError, get
from e2e.stack.installation import DEFINITION, Images, install_chart
from e2e.suites.upgrading import Upgrade, is_part


def test_old_values_alone_are_refused_by_the_names_of_those_that_are_missing(
    published: Images,
) -> None:
    # docs/install.md says which option takes them over the new defaults.
    with pytest.raises(CommandError, match=r"missing propert.*networkPolicy"):
        install_chart(published, "--reuse-values", "--dry-run=server")


def test_pods_go_on_without_a_restart(upgrade: Upgrade) -> None:
    assert upgrade.after.pods == upgrade.before.pods
    assert [restarts for _, restarts in upgrade.after.pods.values()] == [0]


def test_no_request_fails_meanwhile(upgrade: Upgrade) -> None:
    assert upgrade.failures == []
    assert upgrade.answers > 0


def test_the_resource_and_its_definition_are_the_same_objects(upgrade: Upgrade) -> None:
    (*same, before), (*still, after) = upgrade.before.resource, upgrade.after.resource
    assert still == same
    # Fields that the earlier definition did not have come with their defaults.
    assert is_part(before, after), (before, after)
    assert upgrade.after.definition == upgrade.before.definition


def test_the_definition_is_the_present_one(upgrade: Upgrade) -> None:
    assert upgrade
    committed = yaml.safe_load((ROOT / "crds" / "qwendeployments.yaml").read_text())
    (wanted,) = committed["spec"]["versions"]
    (found,) = get(DEFINITION)["spec"]["versions"]
    assert found["schema"] == wanted["schema"]


def test_no_right_of_the_earlier_chart_is_left(upgrade: Upgrade) -> None:
    assert upgrade
    roles = get("clusterroles", "-l", "app.kubernetes.io/name=qwen-operator")["items"]
    assert [each["metadata"]["name"] for each in roles] == ["qwen-operator"]
