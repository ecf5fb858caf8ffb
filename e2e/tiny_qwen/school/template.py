"""The chat template of the tiny Qwen that talks, and its rendering as transformers does it."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from jinja2 import Template

    from e2e.tiny_qwen.school.dialogues import Dialogue

# ChatML with functions in the manner of Hermes and thoughts in the manner of Qwen3. A function is
# rendered from its three fields: what else a server makes of a definition changes nothing.
CHAT_TEMPLATE = (
    "{%- set prompt = 'You are a helpful assistant.' -%}"
    "{%- set turns = messages -%}"
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set prompt = messages[0]['content'] -%}"
    "{%- set turns = messages[1:] -%}"
    "{%- endif -%}"
    "{{- '<|im_start|>system\\n' + prompt -}}"
    "{%- if tools -%}"
    "{{- '\\n\\nYou can call:\\n<tools>' -}}"
    "{%- for tool in tools -%}"
    "{%- set known = tool['function'] if 'function' in tool else tool -%}"
    "{{- '\\n' + ({'name': known['name'], 'description': known['description'] | default('', true),"
    " 'parameters': known['parameters'] | default({}, true)} | tojson) -}}"
    "{%- endfor -%}"
    "{{- '\\n</tools>\\nA call is written as:\\n<tool_call>\\n"
    '{"name": "...", "arguments": {...}}\\n</tool_call>\' -}}'
    "{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- for turn in turns -%}"
    "{%- set content = turn['content'] or '' -%}"
    "{%- if turn['role'] == 'tool' -%}"
    "{{- '<|im_start|>user\\n<tool_response>\\n' + content + '\\n</tool_response><|im_end|>\\n' -}}"
    "{%- elif turn['role'] == 'assistant' -%}"
    "{{- '<|im_start|>assistant\\n' + content.split('</think>')[-1].lstrip('\\n') -}}"
    "{%- for call in turn['tool_calls'] or [] -%}"
    "{%- set made = call['function'] if 'function' in call else call -%}"
    "{%- set given = made['arguments'] -%}"
    "{{- '\\n' if content or not loop.first else '' -}}"
    "{{- '<tool_call>\\n{\"name\": ' + (made['name'] | tojson) + ', \"arguments\": ' -}}"
    "{{- (given if given is string else (given | tojson)) + '}\\n</tool_call>' -}}"
    "{%- endfor -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- else -%}"
    "{{- '<|im_start|>' + turn['role'] + '\\n' + content + '<|im_end|>\\n' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|im_start|>assistant\\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}"
    "{{- '<think>\\n\\n</think>\\n\\n' -}}"
    "{%- endif -%}"
    "{%- endif -%}"
)


@cache
def _compiled() -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(CHAT_TEMPLATE)


def rendered(dialogue: Dialogue) -> str:
    """What the model reads before it answers."""
    wishes = {} if dialogue.thinking is None else {"enable_thinking": dialogue.thinking}
    return _compiled().render(
        messages=list(dialogue.messages),
        tools=list(dialogue.tools) or None,
        add_generation_prompt=True,
        **wishes,
    )
