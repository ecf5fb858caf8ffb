"""A byte-level BPE tokenizer trained on a page of our own text, with Qwen's special tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def train(corpus: Iterable[str]) -> Vocabulary:
    """Train the tokenizer; the same corpus gives the same tokenizer, byte for byte."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCABULARY,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(corpus, trainer)
    # Added after training, as in Qwen: special tokens follow the vocabulary instead of opening it.
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return Vocabulary(tokenizer)


def tokenizer_config(positions: int) -> dict[str, object]:
    """tokenizer_config.json with a ChatML template in the manner of Qwen1.5."""
    return {
        "add_prefix_space": False,
        "additional_special_tokens": [START_OF_TURN, END_OF_TURN],
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TURN,
        "model_max_length": positions,
        "pad_token": END_OF_TEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
