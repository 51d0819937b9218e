"""1.12: query, key and value of one word, in words."""

from __future__ import annotations

from autograder.declare import Choice, Written
from autograder.homeworks.hw1.homework import choices, hw

SOURCES = {
    "A": "all words of the sentence, “sat” included",
    "B": "“sat” alone",
    "C": "the words before “sat” alone",
    "D": "all the words of the sentence except for “sat”",
}

intuition = hw.question(
    "1.12",
    "Query, key, value in one sentence",
    topic="query, key and value in words",
    minutes=5,
    difficulty="easy",
    entries=[
        *choices(
            {"query_from": "B"},
            SOURCES,
            {
                "A": "one query asks for one word: the word whose new vector is computed.",
                "C": "the query asks on behalf of “sat”; earlier words may answer, with keys.",
                "D": "the query asks on behalf of “sat”; the other words answer, with keys.",
            },
            1,
        ),
        *choices(
            {"keys_from": "A", "values_from": "A"},
            SOURCES,
            {
                "B": "with one key and one value there would be nothing to choose from.",
                "C": "that would be causal attention; here there is no mask.",
                "D": "a word may attend to itself: its own key and value take part.",
            },
            1,
        ),
        Choice(
            "order_fix",
            {
                "A": "use more heads",
                "B": "divide by d instead of √d",
                "C": "add to each word's vector one that depends on its place",
                "D": "make the vector of each word longer, so that more fits in",
            },
            "C",
            {
                "A": "each head is blind to order by itself, and so are all of them together.",
                "B": "a scale treats all places alike.",
                "D": "a longer vector of the same word is the same at every place.",
            },
            1,
        ),
    ],
    written=Written(
        points=2,
        words=(30, 100),
        rubric={
            "Query = what this word looks for, key = what each word can be found by,"
            " value = what it passes on, with the example": 1,
            "Why three: looking for, being found by and telling are different things;"
            " one vector would only find what is similar to itself": 1,
        },
        examples={
            "full": (
                "“sat” asks with its query: who did it? Every word holds up a key; that of “cat” fits, so"
                " much of the value of “cat” flows into the new vector of “sat”. Three vectors, because what"
                " I look for, how I am found and what I tell are different; with one, words would only find"
                " similar words."
            ),
            "half": (
                "The query of “sat” is compared with the keys of all words, and the values are averaged with"
                " the softmax of these scores."
            ),
            "none": (
                "The query is the question of the user, the key is the password, and the value is the result"
                " from the database."
            ),
        },
    ),
)
