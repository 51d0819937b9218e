"""5.1: tokens, vocabulary, unknown words, padding and its mask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter

import numpy as np

from autograder.declare import (
    Answer,
    Case,
    Challenge,
    Choice,
    Wrong,
    drawn_as_matrix,
    judge_cases,
    wrong_on,
)
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import INVENTED, invented_text, padded
from autograder.homeworks.hw5.homework import hw

ENDS = r"n't\b|'(?:s|re|ve|m|ll|d)\b"  # what GloVe's corpus cuts off at the end of a word


def split_words(text: str, pattern: str = rf"{ENDS}|\w+?(?=n't\b)|\w+|[^\w\s]") -> list[str]:
    """Lower-case runs of letters and digits, n't and 's and such by themselves, every other mark too."""
    return re.findall(pattern, text.lower())


def texts_to_split(rng: np.random.Generator) -> Iterator[Case]:
    """Texts for the tokeniser."""
    yield Case(["It isn't bad, that's ALL!"], note="\"It isn't bad, that's ALL!\"")
    yield Case(["A so-so, 50-year-old re-make...?"], note='"A so-so, 50-year-old re-make...?"')
    yield Case(
        ["They'll say it's the 'same' we've seen; I'd, you're, I'm."],
        note="all the endings with an apostrophe, and a word in quotes",
    )
    yield Case(
        ["'Twas   the dogs' day...\n(9/10)"], note="apostrophes at the edge of words, a line break and digits"
    )
    for _ in range(4):
        text = invented_text(rng)
        yield Case([text], note=f'"{text}"')


def texts_to_count(rng: np.random.Generator) -> Iterator[Case]:
    """Token lists for the vocabulary: ties, repeated words, rare words."""
    yield Case(
        [[["b", "c", "b", "b", "a", "c"], ["a", "a", "b", "d"]], 2],
        note="[[b, c, b, b, a, c], [a, a, b, d]] with min_count=2",
    )
    yield Case([[["y", "z"], ["x"]], 1], note="three words that occur once each, with min_count=1")
    for minimum in (1, 2, 3):
        texts = [[str(word) for word in rng.choice(INVENTED, rng.integers(3, 12))] for _ in range(8)]
        yield Case([texts, minimum], note=f"8 texts with min_count={minimum}")


def vocabulary(
    texts: Sequence[Sequence[str]], minimum: int, special: Sequence[str] = ("<pad>", "<unk>")
) -> list[str]:
    """Special tokens, then words by falling count and alphabet."""
    counts = Counter(token for text in texts for token in text)
    return [
        *special,
        *sorted((word for word in counts if counts[word] >= minimum), key=lambda word: (-counts[word], word)),
    ]


def words_to_encode(rng: np.random.Generator) -> Iterator[Case]:
    """Tokens and an index, with known and unknown words."""
    index = {word: row for row, word in enumerate(["<pad>", "<unk>", *INVENTED])}
    yield Case(
        [["the", "quaint", "zesty", "film"], index],
        note='["the", "quaint", "zesty", "film"], of which two are unknown',
    )
    yield Case([["quaint"], index], note="one unknown word alone")
    for _ in range(3):
        shuffled = ["<pad>", "<unk>", *(str(word) for word in rng.permutation(INVENTED)[:15])]
        tokens = [str(word) for word in rng.choice([*INVENTED, "quaint", "zesty"], 10)]
        yield Case(
            [tokens, {word: row for row, word in enumerate(shuffled)}], note="10 tokens, some of them unknown"
        )


def grown(tokens: Sequence[str], index: dict[str, int]) -> np.ndarray:
    """The mistake of giving each unknown word the next free number."""
    longer = dict(index)
    return np.array([longer.setdefault(token, len(longer)) for token in tokens])


def by_count_only(texts: Sequence[Sequence[str]], minimum: int) -> list[str]:
    """The mistake of leaving ties in the order in which the words were met."""
    counts = Counter(token for text in texts for token in text)
    return ["<pad>", "<unk>", *(word for word, count in counts.most_common() if count >= minimum)]


words = hw.question(
    "5.1a",
    "Tokens, vocabulary, unknown words",
    minutes=15,
    difficulty="easy",
    asks={
        "tokens as GloVe needs them": "tokens",
        "the vocabulary in the stated order": "the vocabulary",
        "unknown words keep their place": "unknown words have number 1",
    },
    topic="tokens, vocabulary, padding",
    entries=[
        Challenge(
            "tokenize_words",
            cases=texts_to_split,
            expected=split_words,
            mistakes={
                "Capitals are kept: lower-case the text first.": lambda text: re.findall(
                    rf"{ENDS}|\w+?(?=n't\b)|\w+|[^\w\s]", text
                ),
                "Punctuation is lost: each mark is a separate token.": lambda text: split_words(
                    text, rf"{ENDS}|\w+?(?=n't\b)|\w+"
                ),
                "You join adjacent marks into one token; each mark is a separate token.": (
                    lambda text: split_words(text, rf"{ENDS}|\w+?(?=n't\b)|\w+|[^\w\s]+")
                ),
                "Digits are lost: a run of letters and digits is a token, such as 50.": lambda text: (
                    split_words(text, rf"{ENDS}|[a-z]+?(?=n't\b)|[a-z]+|[^\w\s]")
                ),
                "Punctuation sticks to the words: splitting at spaces is not enough.": lambda text: (
                    text.lower().split()
                ),
                "Hyphens are marks, too: so-so is three tokens, so, - and so.": lambda text: split_words(
                    text, rf"{ENDS}|[\w-]+?(?=n't\b)|\w+(?:-\w+)*|[^\w\s]"
                ),
                "You do not split words with apostrophes: isn't is two tokens, is and n't.": lambda text: (
                    split_words(text, r"[a-z0-9]+(?:'[a-z0-9]+)*|[^\sa-z0-9]")
                ),
                "isn't became isn and 't: the n belongs to n't.": lambda text: split_words(
                    text, r"'(?:t|s|re|ve|m|ll|d)\b|\w+|[^\w\s]"
                ),
                "isn't became isn, ' and t: a run of letters ends before an n't.": lambda text: split_words(
                    text, rf"{ENDS}|\w+|[^\w\s]"
                ),
                "An apostrophe and s (or re, ve, …) form a token only at the end of a word: in 'same', the"
                " apostrophe is a separate token.": lambda text: split_words(
                    text, r"n't|'(?:s|re|ve|m|ll|d)|\w+?(?=n't)|\w+|[^\w\s]"
                ),
                "You make every apostrophe a token: n't, 's and the others stay together.": lambda text: (
                    split_words(text, r"\w+|[^\w\s]")
                ),
            },
        ),
        Challenge(
            "build_vocabulary",
            cases=texts_to_count,
            expected=vocabulary,
            mistakes={
                "The special tokens are missing: <pad> comes first, <unk> second.": lambda texts, minimum: (
                    vocabulary(texts, minimum, ())
                ),
                "<pad> must be number 0 and <unk> number 1; you swapped them.": (
                    lambda texts, minimum: vocabulary(texts, minimum, ("<unk>", "<pad>"))
                ),
                "You put <pad> and <unk> last; they must be numbers 0 and 1.": (
                    lambda texts, minimum: [*vocabulary(texts, minimum, ()), "<pad>", "<unk>"]
                ),
                (
                    "min_count is the smallest count that is kept: a word that occurs exactly min_count"
                    " times stays."
                ): lambda texts, minimum: vocabulary(texts, minimum + 1),
                "min_count is not used: leave out words that occur less often.": lambda texts, minimum: (
                    vocabulary(texts, 1)
                ),
                "Rare words come first; frequent words must come first.": lambda texts, minimum: [
                    "<pad>",
                    "<unk>",
                    *sorted(
                        vocabulary(texts, minimum, ()),
                        key=lambda word: (sum(list(text).count(word) for text in texts), word),
                    ),
                ],
                (
                    "Ties are in reverse alphabetical order; put them in alphabetical order."
                ): lambda texts, minimum: [
                    "<pad>",
                    "<unk>",
                    *sorted(
                        vocabulary(texts, minimum, ()),
                        key=lambda word: (sum(list(text).count(word) for text in texts), word),
                        reverse=True,
                    ),
                ],
                "You count the texts that contain a word; count every occurrence of it.": (
                    lambda texts, minimum: vocabulary([sorted(set(text)) for text in texts], minimum)
                ),
                (
                    "That is alphabetical order: frequent words come first, and the alphabet decides"
                    " only ties."
                ): (
                    lambda texts, minimum: [
                        "<pad>",
                        "<unk>",
                        *sorted(vocabulary(texts, minimum, ())),
                    ]
                ),
                "Ties are in another order: words with the same count come in alphabetical order.": (
                    lambda texts, minimum: by_count_only(texts, minimum)
                ),
            },
        ),
        Challenge(
            "encode_words",
            cases=words_to_encode,
            expected=lambda tokens, index: np.array([index.get(token, 1) for token in tokens]),
            mistakes={
                "Unknown words became 0, which is padding, as if they were missing. Their number is 1.": (
                    lambda tokens, index: np.array([index.get(token, 0) for token in tokens])
                ),
                "Unknown words were added to the index, each with a new number; their number is 1.": grown,
                "Unknown words got a new number; their number is 1.": lambda tokens, index: np.array(
                    [index.get(token, len(index)) for token in tokens]
                ),
                "Unknown words became -1; their number is 1.": lambda tokens, index: np.array(
                    [index.get(token, -1) for token in tokens]
                ),
                "Unknown words were dropped. They keep their places, with number 1.": lambda tokens, index: (
                    np.array([index[token] for token in tokens if token in index], dtype=int)
                ),
            },
        ),
    ],
)
words.check_cases("tokenize_words", "tokens", points=2)
words.check_cases("build_vocabulary", "the vocabulary", points=2)
words.check_cases("encode_words", "unknown words have number 1", points=2)


def ragged(rng: np.random.Generator) -> Iterator[Case]:
    """Sequences of unequal lengths; unknown words (1) among them."""
    yield Case([[[5, 1, 7], [4], [2, 3]]], note="sequences of 3, 1 and 2 tokens, one of them unknown")
    yield Case([[[9, 8, 1]]], note="one sequence alone")
    yield Case([[[1], [1, 1, 6, 1]]], note="unknown words at every edge")
    for _ in range(3):
        yield Case(
            [[rng.integers(1, 90, size=rng.integers(1, 12)).tolist() for _ in range(6)]],
            note="6 sequences of random lengths",
        )


padding = hw.question(
    "5.1b",
    "Padding and its mask",
    minutes=8,
    difficulty="easy",
    asks={
        "ids padded at the end with 0, and the mask": "ids and mask",
    },
    entries=[
        Challenge(
            "pad_batch",
            cases=ragged,
            expected=padded,
            picture=drawn_as_matrix(
                "Your mask: 1 for a real token", x="place", y="sentence", pick=itemgetter(1)
            ),
            mistakes={
                "The mask is inverted: it must be True at real tokens.": lambda sequences: [
                    padded(sequences)[0],
                    ~padded(sequences)[1],
                ],
                (
                    "Your mask hides unknown words (number 1) like padding. They are real tokens whose vector"
                    " we lack."
                ): lambda sequences: [
                    padded(sequences)[0],
                    padded(sequences)[0] > 1,
                ],
                "You padded with 1, the unknown word; padding is 0.": lambda sequences: padded(
                    sequences, pad=1
                ),
                "You padded on the left; padding comes after the tokens.": lambda sequences: padded(
                    sequences, left=True
                ),
                "Ids and mask are swapped: the ids come first.": lambda sequences: padded(sequences)[::-1],
                "Your batch is transposed: each row belongs to one sentence"
                " (batch_first=True).": lambda sequences: [part.T for part in padded(sequences)],
                (
                    "Your batch is as wide as the first sequence; it must fit the longest sentence."
                ): lambda sequences: padded([one[: len(sequences[0])] for one in sequences]),
                "You cut all sentences to the shortest one; pad them to the longest one.": lambda sequences: (
                    padded([one[: min(map(len, sequences))] for one in sequences])
                ),
                "You padded with -1; padding is 0.": lambda sequences: padded(sequences, pad=-1),
                (
                    "Your mask is True at one place too many, the first one after the tokens."
                ): lambda sequences: [
                    padded(sequences)[0],
                    padded([[*one, 0] for one in sequences])[1][:, : max(map(len, sequences))],
                ],
                "The sentences are sorted by length; keep their order.": (
                    lambda sequences: padded(sorted(sequences, key=len, reverse=True))
                ),
                "Your mask is True everywhere, padding included.": lambda sequences: [
                    padded(sequences)[0],
                    np.ones_like(padded(sequences)[1]),
                ],
            },
        ),
        Choice(
            "unknown_or_padding",
            options={
                "A": (
                    "It saves a row of the table; all results stay the same, because rare words hardly matter"
                    " for the meaning."
                ),
                "B": ("Unknown words would be masked out, as if the sentence were shorter."),
                "C": "Unknown words would get a gradient, and padding must not have one.",
                "D": "Nothing works at all, because ids must be unique.",
            },
            correct="B",
            why={
                "A": "the results differ: a masked word takes no part in any mean, attention or state.",
                "C": "a trained vector for unknown words would be welcome; masking is what goes wrong.",
                "D": (
                    "several words may share an id without any error; that is what makes the mistake hard to"
                    " see."
                ),
            },
            points=1,
        ),
    ],
)


@padding.check(points=4, needs=["pad_batch"])
def ids_and_mask(answer: Answer) -> Wrong | None:
    """Compares ids and masks; ids as floats are equal to the right ones, but no table takes them."""
    (challenge,) = (entry for entry in padding.entries if isinstance(entry, Challenge))
    trials = answer["pad_batch"]
    return judge_cases(challenge, trials) or next(
        (wrong for trial in trials if (wrong := wrong_on(trial, public.ids_problem(trial.output)))), None
    )
