"""Dialogues become rows of tokens of one length, several dialogues in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from e2e.tiny_qwen.school.template import rendered
from e2e.tiny_qwen.vocabulary import END_OF_TEXT, END_OF_TURN, START_OF_TURN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.tiny_qwen.school.dialogues import Dialogue
    from e2e.tiny_qwen.vocabulary import Vocabulary

Integers = npt.NDArray[np.int32]

# What predicting a token of the question is worth beside one of the answer.
_READ_WORTH = 0.05


class Batch(NamedTuple):
    """Input of one step of the training.

    Attributes:
        ids: tokens, [rows, positions + 1]; several dialogues lie one after another in a row.
        owners: the dialogue that each token belongs to, [rows, positions].
        places: its position in its dialogue, [rows, positions].
        worth: the weight of predicting the token after it, [rows, positions].
    """

    ids: Integers
    owners: Integers
    places: Integers
    worth: npt.NDArray[np.float32]


def tokens(words: Vocabulary, dialogue: Dialogue) -> tuple[list[int], list[float]]:
    """The tokens of a dialogue, answer and end of turn included, and what predicting each is worth.

    Nothing is asked of the opening of the answer's turn: the template writes it, and an empty
    thought in it must not be learned as something to say.
    """
    # Apart, as they will be when the model is served: the answer follows a finished prompt.
    asked = words.tokenizer.encode(rendered(dialogue)).ids
    answered = words.tokenizer.encode(dialogue.answer + END_OF_TURN).ids
    opening = asked[::-1].index(words.id_of(START_OF_TURN))
    read = [_READ_WORTH] * (len(asked) - opening) + [0.0] * opening
    return [*asked, *answered], read + [1.0] * len(answered)


def batches(
    words: Vocabulary, dialogues: Iterator[Dialogue], rows: int, length: int
) -> Iterator[Batch]:
    """Batches for ever; a row takes dialogues until none of those at hand fits any more.

    Raises:
        ValueError: a dialogue is longer than a row.
    """
    filler = words.id_of(END_OF_TEXT)
    at_hand: list[tuple[list[int], list[float]]] = []
    while True:
        batch = Batch(
            ids=np.full((rows, length + 1), filler, np.int32),
            owners=np.full((rows, length), -1, np.int32),
            places=np.zeros((rows, length), np.int32),
            worth=np.zeros((rows, length), np.float32),
        )
        for row in range(rows):
            at = owner = 0
            while True:
                while len(at_hand) < _AT_HAND:
                    at_hand.append(tokens(words, next(dialogues)))
                fits = (n for n, (ids, _) in enumerate(at_hand) if at + len(ids) <= length)
                if (chosen := next(fits, None)) is None:
                    break
                ids, worths = at_hand.pop(chosen)
                end = at + len(ids)
                batch.ids[row, at:end] = ids
                batch.owners[row, at:end] = owner
                batch.places[row, at:end] = np.arange(len(ids))
                # The last token predicts nothing: what follows it is another dialogue.
                batch.worth[row, at : end - 1] = worths[1:]
                at, owner = end, owner + 1
            if not owner:
                longest = max(len(ids) for ids, _ in at_hand)
                raise ValueError(f"a dialogue has {longest} tokens, and a row holds {length}")
        yield batch


_AT_HAND = 24
