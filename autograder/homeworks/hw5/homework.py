"""hw5: sentiment of movie sentences, from averaged word vectors to attention and a frozen encoder."""

from __future__ import annotations

from autograder.declare import Data, Homework
from autograder.homeworks.hw5 import fetch
from autograder.homeworks.hw5.public.sentences import GLOVE

hw = Homework(
    "hw5",
    title="Sentiment",
    stem="hw5_sentiment",
    data=Data(
        verify=fetch.verify,
        fetched=fetch.fetched,
        graded=fetch.graded,
        beside={GLOVE: fetch.vectors_file},
    ),
    imports=("torch._dynamo",),  # torch.device("meta") imports it: 800 modules, two thirds of a second
)
