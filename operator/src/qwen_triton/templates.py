"""Chat templates as vLLM's OpenAI application takes them."""

from __future__ import annotations

import importlib
import json
import re

_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def with_system_prompt(template: str, system_prompt: str) -> str:
    """The template, opening with the model's system prompt unless the client brings one.

    The application knows templates but no system prompts, so the prompt becomes part of one.
    """
    # A JSON string is a Jinja string, as long as nothing is escaped as a pair of surrogates.
    message = f"{{'role': 'system', 'content': {json.dumps(system_prompt, ensure_ascii=False)}}}"
    return (
        "{%- if messages[0]['role'] != 'system' -%}"
        f"{{%- set messages = [{message}] + messages -%}}"
        "{%- endif -%}" + template
    )


def in_ascii(template: str) -> str:
    """The same template without a character beyond ASCII, but for names that have some.

    vLLM tries whatever it is given as the name of a file first. The interpreter in Triton's stub
    takes no other names than ASCII, whatever the locale: it fails before it finds no such file.
    """
    if template.isascii():
        return template
    # Comes with vllm.
    environment = importlib.import_module("jinja2").Environment(keep_trailing_newline=True)
    parts = []
    raw = False
    for _, kind, value in environment.lex(template):
        raw = kind == "raw_begin" or (raw and kind != "raw_end")
        if kind == "data":
            parts.append(_FOREIGN.sub(_spelt_in_raw if raw else _spelt, value))
        elif kind == "string":
            parts.append(_FOREIGN.sub(_escaped, value))
        else:
            parts.append(_FOREIGN.sub("?", value) if kind == "comment" else value)
    return "".join(parts)


def _escaped(found: re.Match[str]) -> str:
    """As Jinja's strings, like Python's, write it."""
    return found[0].encode("ascii", "backslashreplace").decode("ascii")


def _spelt(found: re.Match[str]) -> str:
    return f'{{{{ "{_escaped(found)}" }}}}'


def _spelt_in_raw(found: re.Match[str]) -> str:
    return f"{{% endraw %}}{_spelt(found)}{{% raw %}}"
