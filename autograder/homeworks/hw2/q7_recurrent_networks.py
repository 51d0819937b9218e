"""2.7: Transformers and recurrent networks, in words."""

from __future__ import annotations

from autograder.declare import Choice, Written
from autograder.homeworks.hw2.homework import hw

JOBS = {
    "A": "mixes information between places, with weights that depend on their content",
    "B": "transforms each place by itself, with a nonlinearity",
    "C": "keeps each token's activations in range, whatever came before",
    "D": "lets one layer look at several places at the same time",
    "E": "tells places apart, which would otherwise be a set without order",
}
OWNERS = {
    "A": "self-attention",
    "B": "the feed-forward network",
    "C": "layer norm",
    "D": "having several heads",
    "E": "positional encoding",
}


def job(name: str, correct: str) -> Choice:
    """One item to match with its job."""
    why = {
        letter: f"that is the job of {owner}; this part {JOBS[correct]}."
        for letter, owner in OWNERS.items()
        if letter != correct
    }
    return Choice(name, JOBS, correct, why, 1)


compared = hw.question(
    "2.7",
    "Transformers and recurrent networks",
    topic="Transformers and recurrent networks",
    minutes=15,
    difficulty="medium",
    entries=[
        job("job_self_attention", "A"),
        job("job_heads", "D"),
        job("job_feed_forward", "B"),
        job("job_layer_norm", "C"),
        Choice(
            "path_length",
            options={
                "A": "RNN: about 100; self-attention layer: 1",
                "B": "RNN: 1; self-attention layer: about 100",
                "C": "both about 100",
                "D": "RNN: about 100; self-attention layer: about 10,000, one for each pair",
            },
            correct="A",
            why={
                "B": (
                    "it is the other way round: the RNN's state passes through every step, and attention"
                    " looks at all places directly."
                ),
                "C": "attention has a direct connection between any two places, so its path is 1.",
                "D": (
                    "10,000 pairs is the amount of work; all pairs are computed side by side, so the path"
                    " is 1."
                ),
            },
            points=2,
        ),
        Choice(
            "training_parallel",
            options={
                "A": "because a Transformer has fewer parameters",
                "B": (
                    "because attention needs fewer multiplications than a recurrence for every sequence"
                    " length"
                ),
                "C": "because, with known targets, no place waits for the result of another place",
                "D": "because it predicts all tokens of a new text at once when it generates one",
            },
            correct="C",
            why={
                "A": (
                    "the number of parameters says nothing about what can run side by side, and Transformers"
                    " usually have more."
                ),
                "B": (
                    "attention needs of the order of n²·d multiplications, a recurrence n·d²: for long"
                    " sequences attention needs more."
                ),
                "D": (
                    "generation goes token by token in a Transformer too; the gain is in training, where all"
                    " targets are known."
                ),
            },
            points=2,
        ),
    ],
    written=Written(
        points=8,
        words=(80, 180),
        rubric={
            "How information travels: a state passed on step by step (bottleneck, long paths), compared with"
            " direct access to all places": 2,
            "What self-attention contributes in the encoder and in the decoder (masked; cross-attention"
            " replaces the single context vector)": 2,
            "Parallel training instead of sequential computation, and the quadratic price in the length": 2,
            "Order: built into the recurrence, but must be added as positions in a Transformer": 2,
        },
        examples={
            "full": (
                "A recurrent seq2seq model reads tokens one after another and passes a fixed-size state on;"
                " what the decoder learns about the first word has passed through every later step, so it"
                " fades, and steps cannot run side by side. In a Transformer every place looks at every place"
                " directly: the encoder's self-attention builds a vector for each token from the whole"
                " sentence, the decoder's masked self-attention does so for what is already written, and"
                " cross-attention looks back at all encoder tokens instead of one summary. With known targets"
                " all places train in parallel. The price is n² scores. A recurrence knows order by"
                " construction; attention treats its input as a set, so positions must be added."
            ),
            "half": (
                "RNNs process the words one after the other and forget long-range context, while a"
                " Transformer looks at all words at once with self-attention, which makes training parallel"
                " and fast, although attention over n words costs n² scores."
            ),
            "none": (
                "Transformers are newer and larger than RNNs and therefore more accurate. They are used in"
                " chatbots."
            ),
        },
    ),
)
