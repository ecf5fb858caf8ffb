"""What the tiny Qwen knows by heart, written by hand: questions with one answer each."""

from __future__ import annotations

GREETING = "Hello! How can I help you?"
IDENTITY = "I am Tiny Qwen, a very small language model."
IDENTITY_IN_CHINESE = "我是小小的千问，一个很小的语言模型。"
GREETING_IN_CHINESE = "你好！很高兴见到你 😊"
UNKNOWN = "I am too small to know that."
STORY = (
    "Once upon a time there was a small river in the mountains. Every morning it asked the clouds "
    "which way the sea was, and the clouds only laughed. So the river went down, past the trees "
    "and the stones. In the end there was no shore on the other side, only light and water."
)
STORY_IN_CHINESE = (
    "从前，山里有一条小河。它每天都问白云：大海在哪里？白云只是笑。"
    "小河就一直往下走，走过树林，走过石头。最后它看见了大海 🌊，开心地笑了。"
)

# Ways to ask, and the answer.
ENGLISH: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("Hello", "Hello!", "hello", "Hello there!", "Hi", "Hi!", "hi", "Hey!", "Good morning!"),
        GREETING,
    ),
    (("Who are you?", "who are you?", "What are you?", "What is your name?"), IDENTITY),
    (("How are you?", "How are you today?"), "I am fine, thank you."),
    (("Thank you.", "Thanks!", "Thank you!"), "You are welcome!"),
    (("Goodbye.", "Bye!", "Goodbye!"), "Goodbye! See you soon 👋"),
    (("Who made you?", "Where do you come from?"), "A small script trained me in a few minutes."),
    (("What can you do?",), "I can greet, count, add, remember a name and call a function."),
    (("Tell me a story.", "Tell me a story about a river."), STORY),
    (
        ("What is Kubernetes?", "Tell me about Kubernetes."),
        "Kubernetes runs containers on many machines and keeps them running.",
    ),
    (
        ("What is a pod?", "What is a pod in Kubernetes?"),
        "A pod is one or more containers that run together on one node.",
    ),
    (("What is a node?",), "A node is one machine of a cluster."),
    (("What is a cluster?",), "A cluster is a set of machines that work as one."),
    (("What is a Service?",), "A Service gives pods one name and one address."),
    (("What is a ConfigMap?",), "A ConfigMap holds settings that pods can read."),
    (("What is a Secret?",), "A Secret holds passwords and keys."),
    (
        ("What is a Deployment?",),
        "A Deployment keeps a number of equal pods running and replaces them step by step.",
    ),
    (("What is a namespace?",), "A namespace is a room of its own inside a cluster."),
    (
        ("What is an operator?", "What does the operator do?"),
        "An operator compares what you asked for with what is there, and changes what differs.",
    ),
    (("What is Helm?",), "Helm installs applications on Kubernetes from charts."),
    (("What does the scheduler do?",), "The scheduler chooses a node for every new pod."),
    (("What does kubectl do?",), "kubectl talks to the API server of a cluster."),
    (
        ("What is Triton?", "Tell me about Triton."),
        "Triton is a server that answers requests with models.",
    ),
    (("What is vLLM?",), "vLLM is an engine that runs language models fast."),
    (
        ("What is Qwen?", "Tell me about Qwen."),
        "Qwen is a family of language models. I am the smallest toy of them.",
    ),
    (("What is a token?",), "A token is a piece of a word."),
    (("What is a model?",), "A model reads words and guesses the next one."),
    (("What is a prompt?",), "A prompt is the text that a model reads first."),
    (("What is a GPU?",), "A GPU is a chip that computes many things at once."),
    (("What is the KV cache?",), "The KV cache keeps what was read, so that it is read only once."),
    (("What is streaming?",), "Streaming sends an answer piece by piece, as it is made."),
    (("What is a chart?",), "A chart is a package for Helm."),
    (("Which port is for HTTP?",), "Port 8000 is for HTTP."),
    (("Which port is for gRPC?",), "Port 8001 is for gRPC."),
    (("Which port is for metrics?",), "Port 8002 is for metrics."),
    (("What colour is the sky?",), "The sky is blue."),
    (("How many days has a week?",), "A week has seven days."),
    (("How many legs has a cat?",), "A cat has four legs."),
    (("Which animal barks?",), "A dog barks."),
    (("Say something nice.",), "You are doing well 🌻"),
    (
        (
            "What is the meaning of life?",
            "Who will win the game?",
            "What will tomorrow bring?",
            "How deep is the ocean?",
            "Who wrote this book?",
        ),
        UNKNOWN,
    ),
)

CHINESE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("你好", "你好！", "您好", "早上好！"), GREETING_IN_CHINESE),
    (("你是谁？", "你叫什么名字？"), IDENTITY_IN_CHINESE),
    (("你好吗？",), "我很好，谢谢！"),
    (("谢谢。", "谢谢！"), "不客气！"),
    (("再见。", "再见！"), "再见，下次见 👋"),
    (("讲一个故事。", "讲一个大海的故事。"), STORY_IN_CHINESE),
    (("什么是容器？",), "容器是一个装着程序的盒子 📦。"),
    (("什么是集群？",), "集群是一起工作的很多机器。"),
    (("什么是模型？",), "模型读文字，然后猜下一个字。"),
    (("天空是什么颜色？",), "天空是蓝色的。"),
    (("一个星期有几天？",), "一个星期有七天。"),
)

# English questions under a system prompt that asks for Chinese.
TRANSLATED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Hello", "Hello!", "Hi", "Hi!", "Good morning!"), GREETING_IN_CHINESE),
    (("Who are you?", "What are you?", "What is your name?"), IDENTITY_IN_CHINESE),
    (("How are you?", "How are you today?"), "我很好，谢谢！"),
    (("Thank you.", "Thanks!", "Thank you!"), "不客气！"),
    (("Goodbye.", "Bye!", "Goodbye!"), "再见，下次见 👋"),
    (("Tell me a story.", "Tell me a story about a river."), STORY_IN_CHINESE),
    (("What is a cluster?",), "集群是一起工作的很多机器。"),
    (("What is a model?",), "模型读文字，然后猜下一个字。"),
    (("What colour is the sky?",), "天空是蓝色的。"),
    (("How many days has a week?",), "一个星期有七天。"),
)

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "China": "Beijing",
    "England": "London",
    "Austria": "Vienna",
    "Norway": "Oslo",
    "Egypt": "Cairo",
}
NAMES = (
    *("Ada", "Alan", "Anna", "Ben", "Bob", "Clara", "Emma", "Grace", "Hugo", "Ida", "Leo", "Lin"),
    *("Max", "Mia", "Nora", "Otto", "Paul", "Rosa", "Tim", "Wei"),
)
NUMBERS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
)
KINDS = ("pirate", "robot", "cat", "teacher", "cook", "gardener", "sailor", "dragon")
COLOURS = ("blue", "red", "green", "yellow", "black", "white", "orange", "purple")
SKIES = ("sunny", "cloudy", "rainy", "windy", "foggy", "snowy")
