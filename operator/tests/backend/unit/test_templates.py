"""Templates say the same in ASCII."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from qwen_triton.templates import in_ascii, with_system_prompt

MESSAGES = [{"role": "user", "content": "谁?"}, {"role": "assistant", "content": "我"}]
QWEN = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}\n{% if true %}\n  yes\n{% endif %}\n"
)


def rendered(template: str) -> str:
    # As transformers does.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=MESSAGES)


@pytest.mark.parametrize(
    "template",
    [
        "你好 {{ messages[0]['content'] }} 😀\n",
        "{{ '你好' + \"é😀\" }}",
        "{# 说明 #}a{%- if '是' == '是' -%}  是  {%- endif %}",
        "{% raw %}{{ 你 }}{% endraw %}好",
        "  {%- set 名 = '名' %}{{ 名 }}  é\n{% if true %}\n  好\n{% endif %}\n",
        QWEN + "末",
    ],
)
def test_what_is_rendered_is_the_same(template: str) -> None:
    assert rendered(in_ascii(template)) == rendered(template)
    assert in_ascii(template).isascii() or "名" in template


def test_what_is_ascii_stays_as_it_is() -> None:
    assert in_ascii(QWEN) is QWEN


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_system_prompt_arrives(prompt: str) -> None:
    template = in_ascii(with_system_prompt(QWEN, prompt))
    assert template.isascii()
    assert rendered(template).startswith(f"<|im_start|>system\n{prompt}<|im_end|>\n")


# Of white space beyond ASCII some stands beside a tag that takes it away.
@given(
    st.text(
        st.characters(codec="utf-8", exclude_characters="{}", exclude_categories=("Z", "C")),
        max_size=30,
    )
)
def test_any_text_of_a_template_arrives(text: str) -> None:
    assert rendered(in_ascii(text + QWEN)) == rendered(text + QWEN)
