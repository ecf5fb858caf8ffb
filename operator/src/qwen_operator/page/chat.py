"""The chat box: one question to one model's pod, and its answer as it comes.

Whoever reaches the page may ask, within these bounds, every model that the operator watches;
hence it is a setting of its own. A model that asks for an API key is asked with the key that the
person types: the operator has none, and keeps none.
"""

import contextlib
import logging
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from qwen_operator.errors import Gone, InvalidSpec, Refused
from qwen_operator.naming import Key
from qwen_operator.observe.engines import address_of
from qwen_operator.observe.sights import Watched, pods_of
from qwen_operator.page.rows import Model, detail, model
from qwen_operator.triton.openai import Piece, Question, Talker

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024
"""Of a question with its history, as it is sent."""

_MOST_AT_ONCE = 8
_MOST_TOKENS = 4096


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Message(_Strict):
    """One message of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=65536)]


class Asked(_Strict):
    """What the page sends."""

    namespace: Annotated[str, Field(max_length=63)]
    name: Annotated[str, Field(max_length=253)]
    adapter: Annotated[str, Field(max_length=253)] | None = None
    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=128)]
    max_tokens: Annotated[int, Field(ge=1, le=_MOST_TOKENS)] = 512
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    key: Annotated[str, Field(min_length=1, max_length=1024)] | None = None

    @field_validator("key")
    @classmethod
    def _is_one_word(cls, given: str | None) -> str | None:
        """It becomes a header."""
        if given is not None and not re.fullmatch(r"[\x21-\x7e]+", given):
            raise ValueError("an API key has letters, digits and signs, and no spaces")
        return given

    @model_validator(mode="after")
    def _ends_with_a_question(self) -> Self:
        if self.messages[-1].role != "user":
            raise ValueError("the last message is the user's")
        return self


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def read_asked(body: bytes) -> Asked:
    """Type what the page sent.

    Raises:
        InvalidSpec: it is not what the page sends; the text names the member.
    """
    try:
        return Asked.model_validate_json(body)
    except ValidationError as problem:
        # Without what was given: it may be the key.
        lines = [
            f"{'.'.join(map(str, each['loc'])) or 'the question'}: {_words(each['msg'])}"
            for each in problem.errors(include_url=False)
        ]
        raise InvalidSpec("; ".join(lines)) from None


class Busy(Refused):
    """As many answers as are allowed at once are being written."""


class Chat:
    """Asks models for pages, a few at once."""

    def __init__(self, watched: Watched, talker: Talker) -> None:
        self._watched, self._talker = watched, talker
        self._asking = 0

    async def answer(self, asked: Asked) -> AsyncGenerator[Piece]:
        """One answer, piece by piece; closing it cancels the question in the engine.

        Raises:
            OperatorError: there is no answer, or no more of it; the text says why.
        """
        address, question = self._prepared(asked)
        # Who asks is not known here, and what is asked is nobody's business.
        log.info("the page asks %s/%s", asked.namespace, asked.name)
        if self._asking >= _MOST_AT_ONCE:
            raise Busy(f"{_MOST_AT_ONCE} answers are being written; try again in a moment")
        self._asking += 1
        try:
            async with contextlib.aclosing(self._talker.ask(address, question)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._asking -= 1

    def _prepared(self, asked: Asked) -> tuple[str, Question]:
        found = model(self._watched, Key(asked.namespace, asked.name))
        if found is None:
            raise Gone(f"there is no QwenDeployment {asked.namespace}/{asked.name} any more")
        known: dict[str, Any] = detail(found)
        if asked.adapter is not None and asked.adapter not in known["adapters"]:
            raise InvalidSpec(f"adapter: {found.sight.who[1]} has none of that name")
        if known["asksForKey"] and asked.key is None:
            raise Refused("this model asks for its API key; type it in the field for it")
        limits: dict[str, float] = {"max_tokens": asked.max_tokens}
        if asked.temperature is not None:
            limits |= {"temperature": asked.temperature}
        question = Question(
            model=asked.adapter or known["served"],
            messages=tuple(each.model_dump() for each in asked.messages),
            limits=limits,
            key=asked.key if known["asksForKey"] else None,
        )
        return self._address(found), question

    def _address(self, found: Model) -> str:
        """The pod that has least to do among those that serve."""
        serving = {pod.uid: found.paces.get(pod.uid) for pod in found.serving}
        namespace, name, _ = found.sight.who
        uid = found.sight.body["metadata"]["uid"]
        pods = pods_of(self._watched[0], Key(namespace, name), uid)
        places = [
            (pace.load.running + pace.load.waiting if pace else 0, address)
            for each in pods
            if (pace := serving.get(each["metadata"]["uid"], ...)) is not ...
            and (address := address_of(each)) is not None
        ]
        if not places:
            raise Refused(f"no pod of {namespace}/{name} serves at present")
        return min(places)[1]
