"""`spec.model` and `spec.chat`: which weights, and how text becomes what the model sees."""

from typing import Annotated

from pydantic import ConfigDict, Field

from qwen_operator.api.base import RULES_KEY, ObjectName, Part, SecretKeyRef, rule, text


class ModelCache(Part):
    """Where downloaded weights are kept between pods."""

    claim_name: ObjectName
    """A PersistentVolumeClaim of this namespace, mounted writable as the Hugging Face cache."""


class Model(Part):
    """Which weights to serve, and under which name."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "self.source.startsWith('hf://') || !has(self.revision)",
                    "spec.model.revision names a revision on the Hugging Face hub, so it goes with"
                    " an hf:// source only; remove it, or use hf://org/name",
                    ".revision",
                ),
                rule(
                    "self.source.startsWith('hf://') || !has(self.tokenSecretRef)",
                    "spec.model.tokenSecretRef is sent to the Hugging Face hub, so it goes with an"
                    " hf:// source only; remove it, or use hf://org/name",
                    ".tokenSecretRef",
                ),
                rule(
                    "self.source.startsWith('hf://') || !has(self.cache)",
                    "spec.model.cache keeps what is downloaded, so it goes with an hf:// source"
                    " only; a pvc:// source is served from where it lies",
                    ".cache",
                ),
                rule(
                    "!self.source.contains('/../') && !self.source.endsWith('/..')"
                    " && !self.source.contains('/./') && !self.source.endsWith('/.')",
                    "spec.model.source may not hold '.' or '..' segments; write the plain path"
                    " inside the volume",
                    ".source",
                ),
                rule(
                    "!self.source.startsWith('hf://') || !(self.source.contains('--')"
                    " || self.source.contains('..') || self.source.endsWith('.git'))",
                    "spec.model.source: a name on the Hugging Face hub holds no '--' and no '..',"
                    " and does not end in '.git'; write it as the model's page shows it",
                    ".source",
                ),
                rule(
                    "has(self.servedName) == has(oldSelf.servedName)"
                    " && (!has(self.servedName) || self.servedName == oldSelf.servedName)",
                    "spec.model.servedName cannot change: while pods roll, one Service would have"
                    " pods of both names behind it, and half of the requests would fail; create a"
                    " second resource with the new name, move clients over, delete this one",
                    ".servedName",
                ),
            ]
        }
    )

    source: Annotated[
        str,
        text(
            r"^(hf://[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
            r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[A-Za-z0-9._-]+)*)$",
            "spec.model.source is hf://org/name (the Hugging Face hub) or pvc://claim or"
            " pvc://claim/path (a folder on a PersistentVolumeClaim)",
            most=512,
            least=0,
        ),
    ]
    """Where the weights come from: hf://org/name (the Hugging Face hub) or pvc://claim/path (a
    folder on a PersistentVolumeClaim of this namespace, mounted read-only)."""

    revision: (
        Annotated[
            str,
            text(
                r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
                "spec.model.revision is a branch, tag or commit of the hub: letters, digits, '.',"
                " '_', '-', '/'",
                most=128,
            ),
        ]
        | None
    ) = None
    """Branch, tag or commit on the hub; the repository's default branch when left out."""

    served_name: (
        Annotated[
            str,
            text(
                r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
                "spec.model.servedName stands in Triton's URLs and is a folder's name: letters,"
                " digits, '.', '_', '-', and a letter or digit first",
                most=128,
            ),
        ]
        | None
    ) = None
    """The model's name in Triton's URLs, e.g. vllm_qwen1.5-1.8b-chat; the resource's own name when
    left out. It cannot change."""

    token_secret_ref: SecretKeyRef | None = None
    """Hugging Face access token for private or gated models."""

    cache: ModelCache | None = None
    """Keeps downloaded weights; without it every pod downloads them anew."""


_Parser = Annotated[
    str,
    text(
        r"^[a-z0-9][a-z0-9_.-]*$",
        "a parser is named as vLLM names it, such as hermes, qwen3 or deepseek_r1",
        most=64,
    ),
]


class Chat(Part):
    """How a prompt and its history become the text that the model sees."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES_KEY: [
                rule(
                    "!has(self.template) || self.template.contains('messages')",
                    "spec.chat.template is a Jinja template that writes out messages; one that"
                    " never names them would tell the model nothing",
                    ".template",
                )
            ]
        }
    )

    system_prompt: Annotated[str, Field(max_length=32768)] = "You are a helpful assistant."
    """System message of requests that bring none in their history."""

    template: Annotated[str, Field(min_length=1, max_length=65536)] | None = None
    """A Jinja chat template that replaces the model's own."""

    tool_call_parser: _Parser | None = None
    """vLLM's name of the parser that finds tool calls in an answer, such as hermes."""

    reasoning_parser: _Parser | None = None
    """vLLM's name of the parser that tells what a model thinks from what it answers, such as
    qwen3."""

    api_key_secret_ref: SecretKeyRef | None = None
    """A key that clients of the OpenAI endpoint send as 'Authorization: Bearer'. The Service offers
    the endpoint, port 9000, where it is set."""
