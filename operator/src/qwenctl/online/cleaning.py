"""Taking secrets and people's words out of what goes into a bug report: pure."""

import re
from typing import Any

from qwen_operator import naming

REMOVED = "(removed)"

_SECRET_NAMES = re.compile(
    r"(?i)(token|password|passwd|secret|api[-_]?key|credential|authorization)"
)
_OPTION = re.compile(r"(?i)--?[a-z0-9-]*(token|password|secret|api-key)")
_PLAIN_NAMES = {
    # These name where a secret is kept, or count tokens, and tell nothing of either.
    "tokenSecretRef",
    "secretKeyRef",
    "secretName",
    "automountServiceAccountToken",
    "imagePullSecrets",
}
_COUNTS = re.compile(r"(?i)[a-z]_?tokens(_total)?$")
_PEOPLES_WORDS = {"systemPrompt", "system_prompt", "prompt", "template", "chat_template"}
_IN_TEXT = (
    # Hugging Face, GitHub, AWS, OpenAI-like keys; bearer tokens and JWTs.
    re.compile(r"\bhf_[A-Za-z0-9]{10,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"),
    re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_ASSIGNED = re.compile(
    r"(?i)([A-Z0-9_-]*(?:TOKEN|PASSWORD|SECRET|API[-_]?KEY))(['\"]?\s*[=:]\s*['\"]?)([^\s'\",}]+)"
)
_PROMPT_LINE = re.compile(
    r"(?i)(received request|prompt|messages|text_input|system_prompt|history)(['\"]?\s*[:=])(.*)"
)
_PROMPT_PARAMETER = re.compile(
    r'(key: "(?:system_prompt|chat_template)" value: \{ string_value: )"(?:[^"\\]|\\.)*"'
)
_REPEATED = {
    "managedFields",
    "kubectl.kubernetes.io/last-applied-configuration",
    naming.RENDERED_ANNOTATION,
}
"""Fields and annotations that hold the object once more."""


def clean_text(text: str) -> str:
    """A log without keys, and without the words of requests."""
    for pattern in _IN_TEXT:
        text = pattern.sub(REMOVED, text)
    text = _PROMPT_PARAMETER.sub(rf'\1"{REMOVED}"', text)
    lines = []
    # Not splitlines: what it takes for the end of a line besides must come out again.
    for line in text.split("\n"):
        kept = _ASSIGNED.sub(rf"\1\2{REMOVED}", line)
        lines.append(_PROMPT_LINE.sub(rf"\1\2 {REMOVED}", kept))
    return "\n".join(lines)


def _is_secret(name: str) -> bool:
    if name in _PLAIN_NAMES or _COUNTS.search(name):
        return False
    return _SECRET_NAMES.search(name) is not None


def _clean_variable(value: dict[str, Any]) -> dict[str, Any]:
    """An environment variable keeps its name, and its value only where that is harmless."""
    name = str(value.get("name", ""))
    return {**value, "value": REMOVED} if "value" in value and _is_secret(name) else value


def _clean_files(data: dict[str, Any]) -> dict[str, Any]:
    """A rendered model repository: our own Python files are no news, the rest is cleaned."""
    return {
        name: "(as the operator carries it)" if name.endswith(".py") else clean_text(str(text))
        for name, text in data.items()
    }


def _clean_list(value: list[Any], name: str) -> list[Any]:
    made = [clean(each, name) for each in value]
    for at, each in enumerate(value[:-1]):
        # An option whose value is the next word.
        if isinstance(each, str) and _OPTION.fullmatch(each):
            made[at + 1] = REMOVED
    return made


def _clean_scalar(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        return value
    if name in _PEOPLES_WORDS or _is_secret(name):
        return REMOVED
    return clean_text(value)


def clean(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """An object without secrets, prompts and what only repeats it."""
    if isinstance(value, list):
        return _clean_list(value, name)
    if not isinstance(value, dict):
        return _clean_scalar(value, name)
    if value.get("kind") == "Secret":
        metadata = value.get("metadata")
        named = metadata.get("name") if isinstance(metadata, dict) else None
        return {"kind": "Secret", "metadata": {"name": named}}
    made = {}
    for key, each in _clean_variable(value).items():
        if key in _REPEATED:
            continue
        files = key == "data" and value.get("kind") == "ConfigMap" and isinstance(each, dict)
        made[key] = _clean_files(each) if files else clean(each, key)
    return made
