"""values.yaml is the one source: its schema and its reference follow from it."""

import json
from pathlib import Path

import pytest
import yaml

from charts.generate import outputs
from charts.golden import FULL
from charts.reference import readme, table
from charts.rendering import CHART
from charts.schema import property_of, schema
from charts.values import Entry, UndocumentedError, entries

EXAMPLE = """\
# How many.
# @schema {minimum: 1, maximum: 3}
count: 1
image:
  # Where from.
  name: x|y
# Free.
# @schema {type: object}
free: {}
"""


def values() -> tuple[Entry, ...]:
    return entries((CHART / "values.yaml").read_text(encoding="utf-8"))


def leaves(found: tuple[Entry, ...]) -> list[Entry]:
    return [each for top in found for each in top.every() if not each.members]


@pytest.mark.parametrize("path", outputs(), ids=lambda path: path.name)
def test_what_is_generated_is_what_is_committed(path: Path) -> None:
    assert outputs()[path] == path.read_text(encoding="utf-8")


def test_a_comment_is_the_meaning_and_a_schema_line_adds_to_the_default_s_type() -> None:
    count, image, free = entries(EXAMPLE)
    assert (count.name, count.meaning, count.default) == ("count", "How many.", 1)
    assert property_of(count) == {
        "description": "How many.",
        "type": "integer",
        "minimum": 1,
        "maximum": 3,
    }
    assert [each.name for each in image.members] == ["image.name"]
    assert property_of(image)["additionalProperties"] is False
    assert free.members == ()


def test_a_value_without_a_comment_is_refused_by_name() -> None:
    with pytest.raises(UndocumentedError, match=r"image\.tag"):
        entries("image:\n  tag: x\n")


def test_groups_are_closed_and_miss_nothing() -> None:
    made = schema(entries(EXAMPLE))
    assert made["required"] == ["count", "image", "free"]
    assert made["additionalProperties"] is False
    assert set(made["properties"]) == {"count", "image", "free", "global"}


def test_the_reference_has_a_row_for_each_value() -> None:
    lines = table(entries(EXAMPLE)).splitlines()
    assert lines[2] == "| `count` | integer 1 … 3 | `1` | How many. |"
    assert lines[3] == '| `image.name` | string | `"x\\|y"` | Where from. |'


def test_a_readme_without_its_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        readme("# Chart\n", ())


def test_the_full_values_change_every_value() -> None:
    full = yaml.safe_load(FULL.read_text(encoding="utf-8"))
    for each in leaves(values()):
        given = full
        for key in each.path:
            given = given[key]
        assert given != each.default, each.name


def test_every_value_is_used_by_a_template() -> None:
    templates = [each for each in (CHART / "templates").rglob("*") if each.is_file()]
    text = "\n".join(each.read_text(encoding="utf-8") for each in templates)
    for each in leaves(values()):
        last = each.path[-1]
        assert f".{each.name}" in text or f".{last}" in text or each.path[1] == "thresholds", (
            each.name
        )


def test_the_schema_is_json_that_names_its_source() -> None:
    made = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert "values.yaml" in made["$comment"]
