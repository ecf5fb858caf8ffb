"""A byte-level BPE tokenizer trained on a page of our own text, with Qwen's special tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

END_OF_TEXT = "<|endoftext|>"
START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, START_OF_TURN, END_OF_TURN)

# 256 bytes and the merges of the corpus: most words of the corpus become one token.
BASE_VOCABULARY = 1021

CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}"
    "{%- endif -%}"
    "{%- for turn in messages -%}"
    "{{- '<|im_start|>' + turn['role'] + '\\n' + turn['content'] + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The trained tokenizer and what the weights must know of it."""

    tokenizer: Tokenizer

    @property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    def id_of(self, token: str) -> int:
        """The id of a token that must exist."""
        found: int | None = self.tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return found

    def unreadable(self) -> list[int]:
        """Ids of the tokens that are no text on their own: halves of characters, controls."""
        alphabet = decoders.ByteLevel()
        return [
            number
            for token, number in self.tokenizer.get_vocab(with_added_tokens=False).items()
            if not alphabet.decode([token]).isprintable() or "\ufffd" in alphabet.decode([token])
        ]


# How Qwen2's tokenizer cuts a text before its merges: every digit alone, no line break in a word.
# Newer transformers cut so whatever the tokenizer's own file says, as soon as the model is a Qwen2.
_WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train(
    corpus: Iterable[str], *, base: int = BASE_VOCABULARY, markup: Sequence[str] = ()
) -> Vocabulary:
    """Train the tokenizer; the same corpus gives the same tokenizer, byte for byte.

    Args:
        corpus: texts of the kind that it will read.
        base: number of tokens before the special ones: 256 bytes and the merges.
        markup: tokens after the special ones that stay visible in answers, as in Qwen3.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=base,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(corpus, trainer)
    # Added after training, as in Qwen: special tokens follow the vocabulary instead of opening it.
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in markup])
    return Vocabulary(tokenizer)


def tokenizer_config(positions: int, template: str = CHAT_TEMPLATE) -> dict[str, object]:
    """tokenizer_config.json; the template is by default a ChatML one in the manner of Qwen1.5."""
    return {
        "add_prefix_space": False,
        "additional_special_tokens": [START_OF_TURN, END_OF_TURN],
        "bos_token": None,
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TURN,
        "model_max_length": positions,
        "pad_token": END_OF_TEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
