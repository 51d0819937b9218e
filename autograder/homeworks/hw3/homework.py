"""hw3: attention whose weights are designed by hand. The pattern that other homeworks follow.

Each file ``qN_….py`` beside this one holds the questions of one number: what they record, the oracle, the
judges. They are trusted and stay out of the kernel; students read ``public`` alone. Values are judged by
property, over all sequences where that can be; hidden inputs come from the instructor's seed.
"""

from __future__ import annotations

from autograder.declare import Homework

hw = Homework("hw3", title="Hand-designed attention", stem="hw3_hand_designed")
