"""hw6: attention at linear cost, and the theory behind it.

Derivations are executed: their results are functions or numbers that hidden inputs test. Costs are observed
while the student's code runs.
"""

from __future__ import annotations

from autograder.declare import Homework

hw = Homework(
    "hw6",
    title="Efficient attention and the theory behind it",
    stem="hw6_efficient_attention",
)
