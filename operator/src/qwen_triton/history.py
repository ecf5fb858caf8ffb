"""Earlier messages of a chat, from any of the forms that clients send them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_triton.parsing import kind_of, parse_json, shown
from qwen_triton.refusals import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

Message = dict[str, object]

HISTORY = "history"
ROLES = ("system", "user", "assistant", "tool")

_CALLS = "tool_calls"
_PAIR = 2


def read_history(text: str) -> tuple[Message, ...]:
    """Messages from a JSON list of them, or of [user, assistant] pairs.

    Raises:
        BadRequest: naming the entry that is wrong.
    """
    entries = parse_json(HISTORY, HISTORY, text)
    if not isinstance(entries, list):
        raise BadRequest(HISTORY, f"must be a JSON list of messages, not {kind_of(entries)}")
    messages: list[Message] = []
    for at, entry in enumerate(entries):
        messages += _pair(at, entry) if isinstance(entry, list) else [_message(at, entry)]
    return tuple(messages)


def _message(at: int, entry: object) -> Message:
    where = f"entry {at}"
    if not isinstance(entry, dict):
        raise BadRequest(HISTORY, f'{where} must be {{"role", "content"}}, not {kind_of(entry)}')
    role, content = entry.get("role"), entry.get("content")
    if role not in ROLES:
        raise BadRequest(HISTORY, f"{where} has role {shown(role)}; known are {', '.join(ROLES)}")
    calls = entry.get(_CALLS)
    if calls:
        # Who calls a tool often says nothing else; templates still want to write a content.
        content = "" if content is None else content
        entry = entry | {"content": content, _CALLS: _calls(where, calls)}
    if not isinstance(content, str):
        raise BadRequest(HISTORY, f"{where} needs 'content' as text, not {kind_of(content)}")
    return dict(entry)


def _calls(where: str, calls: object) -> list[Mapping[str, object]]:
    """Tool calls with their arguments as an object, which is what chat templates write out."""
    made: list[Mapping[str, object]] = []
    for call in calls if isinstance(calls, list) else [calls]:
        whole = call if isinstance(call, dict) else {}
        function = whole.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRequest(
                HISTORY,
                f'{where}: {_CALLS!r} must be a list of {{"function": {{"name", "arguments"}}}},'
                f" not {shown(calls)}",
            )
        arguments = function.get("arguments") or {}
        if isinstance(arguments, str):
            arguments = parse_json(HISTORY, f"{_CALLS} of {where}", arguments)
        made.append(whole | {"function": function | {"arguments": arguments}})
    return made


def _pair(at: int, entry: list[object]) -> list[Message]:
    texts = [part for part in entry if isinstance(part, str)]
    if len(entry) != _PAIR or len(texts) != _PAIR:
        raise BadRequest(HISTORY, f"entry {at} must be a pair of texts [user, assistant]")
    user, assistant = texts
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
