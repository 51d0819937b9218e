"""1.13d: what lets Transformers grow, in words."""

from __future__ import annotations

from autograder.declare import Written
from autograder.homeworks.hw1.homework import hw

hw.question(
    "1.13d",
    "Why it scales",
    minutes=8,
    difficulty="medium",
    written=Written(
        points=3,
        words=(60, 180),
        rubric={
            "Parallelism: training computes all places at once,"
            " an RNN needs n steps; generation is sequential for both": 1,
            "Memory: RNN keeps a fixed-size state, Transformer"
            " keeps keys and values (grows with n) or n² weights": 1,
            "Why scaling works (hardware use, trainable depth, loss falls with size and data)"
            " and one cost (money, energy, data, serving)": 1,
        },
        examples={
            "full": (
                "A Transformer trains on all places in parallel with large matrix products; an RNN takes n"
                " steps in turn. Generating is word by word for both, but the RNN keeps one state while the"
                " Transformer's key-value cache grows with the text and training stores n² weights. Growth"
                " worked because GPUs are used fully, residuals and norms keep depth trainable and loss falls"
                " predictably with size; it costs energy, money and data."
            ),
            "half": (
                "Transformers are parallel while RNNs are sequential, so they train faster on GPUs and could"
                " grow to billions of parameters. It costs much electricity."
            ),
            "none": (
                "Transformers scale because they have more parameters and companies have large computers."
            ),
        },
    ),
)
