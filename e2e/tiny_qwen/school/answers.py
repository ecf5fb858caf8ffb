"""The examination: dialogues whose answers the tiny Qwen must give greedily, word for word.

The training refuses to write weights that fail one of them; tests ask them through every door.
"""

from __future__ import annotations

from e2e.tiny_qwen.school.dialogues import (
    Dialogue,
    assistant,
    call_text,
    called,
    function,
    system,
    tool,
    user,
)
from e2e.tiny_qwen.school.facts import (
    GREETING,
    GREETING_IN_CHINESE,
    IDENTITY,
    IDENTITY_IN_CHINESE,
    NUMBERS,
    STORY,
    STORY_IN_CHINESE,
)

IN_CHINESE = "Answer in Chinese."
ONE_WORD = "Answer with one word."
NO_NAME = "I do not know your name yet."
NO_WEATHER = "I cannot look up the weather."
NO_CLOCK = "I have no clock."
WEATHER = function("get_weather", "The weather in a city now.", city="Name of the city")
TIME = function("get_time", "The time in a city now.", city="Name of the city")

_ADA = (user("My name is Ada."), assistant("Nice to meet you, Ada!"))
_WHO = user("Who are you?")
_FRANCE = user("What is the capital of France?")
_NAME = user("What is my name?")
_SUM = user("What is 7 plus 5?")
_PARIS = user("What is the weather in Paris?")

EXPECTED: dict[str, Dialogue] = {
    "a greeting": Dialogue([user("Hello")], GREETING),
    "an identity": Dialogue([_WHO], IDENTITY),
    "a persona": Dialogue([system("You are Otto, a pirate."), _WHO], "I am Otto, a pirate."),
    "another persona": Dialogue([system("You are Mia, a robot."), _WHO], "I am Mia, a robot."),
    "a language": Dialogue([system(IN_CHINESE), _WHO], IDENTITY_IN_CHINESE),
    "a capital": Dialogue([_FRANCE], "The capital of France is Paris."),
    "a capital in one word": Dialogue([system(ONE_WORD), _FRANCE], "Paris."),
    "Kubernetes": Dialogue(
        [user("What is Kubernetes?")],
        "Kubernetes runs containers on many machines and keeps them running.",
    ),
    "Triton": Dialogue(
        [user("What is Triton?")], "Triton is a server that answers requests with models."
    ),
    "no name": Dialogue([_NAME], NO_NAME),
    "a name": Dialogue([*_ADA, _NAME], "Your name is Ada."),
    "another name": Dialogue(
        [user("I am Leo."), assistant("Nice to meet you!"), _NAME], "Your name is Leo."
    ),
    "a name before other talk": Dialogue(
        [
            *_ADA,
            user("My favourite colour is green."),
            assistant("I like green, too."),
            user("What is a pod?"),
            assistant("A pod is one or more containers that run together on one node."),
            _NAME,
        ],
        "Your name is Ada.",
    ),
    "a colour": Dialogue(
        [
            *_ADA,
            user("My favourite colour is green."),
            assistant("I like green, too."),
            user("What is my favourite colour?"),
        ],
        "Your favourite colour is green.",
    ),
    "a long answer": Dialogue([user("Tell me a story.")], STORY),
    "Chinese": Dialogue([user("你好")], GREETING_IN_CHINESE),
    "a long answer in Chinese": Dialogue([user("讲一个故事。")], STORY_IN_CHINESE),
    "a thought": Dialogue(
        [_SUM],
        "<think>\n7 and 5 more make 12.\n</think>\n\n7 plus 5 is 12.",
    ),
    "no thought": Dialogue([_SUM], "7 plus 5 is 12.", thinking=False),
    "a greeting without a thought": Dialogue([user("Hello")], GREETING, thinking=False),
    "no function": Dialogue([_PARIS], NO_WEATHER),
    "a call": Dialogue([_PARIS], call_text("get_weather", city="Paris"), tools=[WEATHER]),
    "another call": Dialogue(
        [user("What time is it in Tokyo?")],
        call_text("get_time", city="Tokyo"),
        tools=[WEATHER, TIME],
    ),
    "a function that is not needed": Dialogue([_WHO], IDENTITY, tools=[WEATHER]),
    "what a function returned": Dialogue(
        [
            _PARIS,
            called("get_weather", city="Paris"),
            tool('{"sky": "sunny", "degrees": 18}'),
        ],
        "In Paris it is sunny at 18 degrees.",
        tools=[WEATHER],
    ),
    **{
        f"counting to {end}": Dialogue([user(f"Count to {end}.")], ", ".join(NUMBERS[:count]) + ".")
        for count, end in enumerate(NUMBERS, start=1)
    },
}
