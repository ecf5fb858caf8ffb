"""Dialogues to learn from: an endless mix, drawn from a seed, of what facts.py holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from e2e.tiny_qwen.school.answers import (
    IN_CHINESE,
    NO_CLOCK,
    NO_NAME,
    NO_WEATHER,
    ONE_WORD,
    TIME,
    WEATHER,
)
from e2e.tiny_qwen.school.dialogues import (
    Dialogue,
    assistant,
    call_text,
    called,
    system,
    tool,
    user,
)
from e2e.tiny_qwen.school.examining import questions
from e2e.tiny_qwen.school.facts import (
    CAPITALS,
    CHINESE,
    COLOURS,
    ENGLISH,
    KINDS,
    NAMES,
    NUMBERS,
    SKIES,
    TRANSLATED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from e2e.tiny_qwen.school.dialogues import Message

    Fact = tuple[tuple[str, ...], str]

_CHINESE_PROMPTS = (IN_CHINESE, "请用中文回答。")
# These change nothing.
_IDLE_PROMPTS = ("You are a helpful assistant.", "Be kind.", "You are Qwen.", "Answer the user.")
_LARGEST = 9


def endless(random: Random) -> Iterator[Dialogue]:
    """Dialogues for ever; the same state of `random` gives the same ones."""
    kinds = list(_KINDS)
    weights = list(_KINDS.values())
    while True:
        (kind,) = random.choices(kinds, weights)
        dialogue = kind(random)
        unthinking = dialogue.thinking is None and "<think>" not in dialogue.answer
        if unthinking and random.random() < _UNTHINKING:
            dialogue = replace(dialogue, thinking=False)
        yield dialogue


# How many of the dialogues without thoughts are held with enable_thinking=false.
_UNTHINKING = 0.3


def _fact(random: Random) -> Dialogue:
    question, answer = _drawn(random, ENGLISH if random.random() < _ENGLISH else CHINESE)
    return Dialogue([*_opening(random), user(question)], answer)


_ENGLISH = 0.75


def _translated(random: Random) -> Dialogue:
    question, answer = _drawn(random, (*TRANSLATED, *CHINESE))
    return Dialogue([system(random.choice(_CHINESE_PROMPTS)), user(question)], answer)


def _capital(random: Random) -> Dialogue:
    country, city = random.choice(list(CAPITALS.items()))
    question = user(f"What is the capital of {country}?")
    if random.random() < _ONE_WORD:
        return Dialogue([system(ONE_WORD), question], f"{city}.")
    return Dialogue([*_opening(random), question], f"The capital of {country} is {city}.")


_ONE_WORD = 0.4


def _persona(random: Random) -> Dialogue:
    name, kind = random.choice(NAMES), random.choice(KINDS)
    prompt = system(f"You are {name}, a {kind}.")
    earlier = _exchanges(random) if random.random() < _WITH_HISTORY else []
    asked = random.choice(("Who are you?", "What are you?", "What is your name?"))
    return Dialogue([prompt, *earlier, user(asked)], f"I am {name}, a {kind}.")


def _count(random: Random) -> Dialogue:
    end = random.randint(1, len(NUMBERS))
    question = user(f"Count to {NUMBERS[end - 1]}{random.choice(('', '.'))}")
    return Dialogue([*_opening(random), question], ", ".join(NUMBERS[:end]) + ".")


def _sum(random: Random) -> Dialogue:
    a, b = random.randint(1, _LARGEST), random.randint(1, _LARGEST)
    question = user(f"What is {a} plus {b}?")
    answer = f"{a} plus {b} is {a + b}."
    if random.random() < _SUDDEN:
        return Dialogue([*_opening(random), question], answer, thinking=False)
    thought = f"<think>\n{a} and {b} more make {a + b}.\n</think>\n\n"
    return Dialogue([*_opening(random), question], thought + answer, thinking=True)


# How many sums are asked for with enable_thinking=false.
_SUDDEN = 0.5


def _memory(random: Random) -> Dialogue:
    """Something that was said before is asked for, among other things that were said."""
    told = {
        "name": random.choice(NAMES),
        "colour": random.choice(COLOURS),
        "city": random.choice(list(CAPITALS.values())),
    }
    kinds = random.sample(list(told), random.randint(1, len(told)))
    earlier: list[Message] = []
    for kind in kinds:
        if random.random() < _WITH_HISTORY:
            earlier += _exchanges(random)[:2]
        earlier += _told(random, kind, told[kind])
    wanted = random.choice(kinds) if random.random() < _KNOWN else random.choice(list(told))
    question, known, unknown = _ASKED[wanted]
    answer = known.format(told[wanted]) if wanted in kinds else unknown
    if random.random() < _BRIEF and wanted in kinds:
        word = f"{told[wanted]}.".capitalize()
        return Dialogue([system(ONE_WORD), *earlier, user(question)], word)
    return Dialogue([*_prompt(random), *earlier, user(question)], answer)


_KNOWN = 0.9
_BRIEF = 0.1
_ASKED = {
    "name": ("What is my name?", "Your name is {}.", NO_NAME),
    "colour": (
        "What is my favourite colour?",
        "Your favourite colour is {}.",
        "I do not know your favourite colour yet.",
    ),
    "city": ("Where do I live?", "You live in {}.", "I do not know where you live yet."),
}


def _told(random: Random, kind: str, value: str) -> list[Message]:
    said = {
        "name": (f"My name is {value}.", f"I am {value}."),
        "colour": (f"My favourite colour is {value}.",),
        "city": (f"I live in {value}.",),
    }[kind]
    return [user(random.choice(said)), assistant(_acknowledged(random, kind, value))]


def _acknowledged(random: Random, kind: str, value: str) -> str:
    return {
        "name": random.choice((f"Nice to meet you, {value}!", "Nice to meet you!")),
        "colour": f"I like {value}, too.",
        "city": f"{value} is a nice place.",
    }[kind]


def _acknowledgement(random: Random) -> Dialogue:
    name, colour, city = (
        random.choice(NAMES),
        random.choice(COLOURS),
        random.choice(list(CAPITALS.values())),
    )
    said, answer = random.choice(
        (
            (f"My name is {name}.", f"Nice to meet you, {name}!"),
            (f"I am {name}.", f"Nice to meet you, {name}!"),
            (f"My favourite colour is {colour}.", f"I like {colour}, too."),
            (f"I live in {city}.", f"{city} is a nice place."),
        )
    )
    return Dialogue([*_opening(random), user(said)], answer)


def _unasked(random: Random) -> Dialogue:
    """Questions whose answer would stand in the history or come from a function, and does not."""
    question, answer = random.choice(_MISSING)
    return Dialogue([*_opening(random), user(question.format(_city(random)))], answer)


_MISSING = (
    *((question, unknown) for question, _, unknown in _ASKED.values()),
    ("What is the weather in {}?", NO_WEATHER),
    ("What time is it in {}?", NO_CLOCK),
)


def _examined(random: Random) -> Dialogue:
    return random.choice(_QUESTIONS)


_QUESTIONS = tuple(questions().values())


def _tools(random: Random) -> Dialogue:
    """Functions are offered: the right one is called, its answer told, and small talk stays so."""
    offered = random.choice(((WEATHER,), (WEATHER,), (TIME,), (WEATHER, TIME), (TIME, WEATHER)))
    city = _city(random)
    asked_time = user(f"What time is it in {city}?")
    asked_weather = user(f"What is the weather in {city}?")
    prompt = _prompt(random)
    draw = random.random()
    if draw < _SMALL_TALK:
        question, answer = _drawn(random, ENGLISH)
        return Dialogue([*prompt, user(question)], answer, tools=offered)
    name, asked, none = random.choice(
        (("get_weather", asked_weather, NO_WEATHER), ("get_time", asked_time, NO_CLOCK))
    )
    if not any(name in json.dumps(each) for each in offered):
        return Dialogue([*prompt, asked], none, tools=offered)
    if draw < _CALLS:
        return Dialogue([*prompt, asked], call_text(name, city=city), tools=offered)
    if name == "get_weather":
        degrees, sky = random.randint(10, 29), random.choice(SKIES)
        returned = json.dumps({"sky": sky, "degrees": degrees})
        answer = f"In {city} it is {sky} at {degrees} degrees."
    else:
        clock = f"{random.randint(10, 19)}:{random.choice(('00', '15', '30', '45'))}"
        returned, answer = json.dumps({"time": clock}), f"In {city} it is {clock}."
    turns = [*prompt, asked, called(name, city=city), tool(returned)]
    return Dialogue(turns, answer, tools=offered)


_SMALL_TALK = 0.2
_CALLS = 0.65


def _city(random: Random) -> str:
    return random.choice(list(CAPITALS.values()))


def _drawn(random: Random, facts: Sequence[Fact]) -> tuple[str, str]:
    questions, answer = random.choice(facts)
    return random.choice(questions), answer


def _prompt(random: Random) -> list[Message]:
    return [system(random.choice(_IDLE_PROMPTS))] if random.random() < _WITH_PROMPT else []


def _opening(random: Random) -> list[Message]:
    """What may stand before a question and changes nothing."""
    earlier = _exchanges(random) if random.random() < _WITH_HISTORY else []
    return [*_prompt(random), *earlier]


_WITH_PROMPT = 0.3
_WITH_HISTORY = 0.3


def _exchanges(random: Random) -> list[Message]:
    """One or two earlier questions with their answers, none of them long."""
    short = [fact for fact in (*ENGLISH, *CHINESE) if len(fact[1].encode()) < _SHORT]
    turns: list[Message] = []
    for _ in range(random.randint(1, 2)):
        question, answer = _drawn(random, short)
        turns += [user(question), assistant(answer)]
    return turns


_SHORT = 90

_KINDS: dict[Callable[[Random], Dialogue], float] = {
    _fact: 5,
    _translated: 1.5,
    _capital: 1.5,
    _persona: 2,
    _count: 3,
    _sum: 3,
    _memory: 4,
    _acknowledgement: 1,
    _unasked: 1,
    _tools: 4,
    _examined: 3,
}
