"""hw5 in public: what the notebook is given beside the kit, and the judges use too; no solution."""

from __future__ import annotations

from autograder.homeworks.hw5.public.averages import (
    D_MODEL,
    N_WORDS,
    fit_logistic,
    frequent_columns,
    pair_problem,
)
from autograder.homeworks.hw5.public.encoder import (
    load_encoder,
    make_word_encoder,
    start_from,
    train_alike,
)
from autograder.homeworks.hw5.public.flags import gradient_problem, ids_problem
from autograder.homeworks.hw5.public.frozen import (
    batch_problem,
    dropout_problem,
    frozen_problem,
    learning_problem,
    mask_problem,
)
from autograder.homeworks.hw5.public.given import (
    BAD,
    GIVEN_BIAS,
    GIVEN_SCORES,
    GIVEN_VOTES,
    GIVEN_WORDS,
    GOOD,
    given_scores,
    given_votes,
    show_interaction,
)
from autograder.homeworks.hw5.public.loops import evaluation_mode_problem, train_mode_problem
from autograder.homeworks.hw5.public.sentences import (
    LABELS,
    load_glove,
    load_train_validation,
    plain_marks,
    text_encoder,
)
from autograder.homeworks.hw5.public.sentiment import (
    CHECKPOINT,
    CHECKPOINT_BYTES,
    LABELS_ALONE,
    load_checkpoint,
    logits_problem,
    outputs_problem,
    predict_problem,
    show_curves,
)
from autograder.kit.shared.viewer import attention_viewer

__all__ = [
    "BAD",
    "CHECKPOINT",
    "CHECKPOINT_BYTES",
    "D_MODEL",
    "GIVEN_BIAS",
    "GIVEN_SCORES",
    "GIVEN_VOTES",
    "GIVEN_WORDS",
    "GOOD",
    "LABELS",
    "LABELS_ALONE",
    "N_WORDS",
    "attention_viewer",
    "batch_problem",
    "dropout_problem",
    "evaluation_mode_problem",
    "fit_logistic",
    "frequent_columns",
    "frozen_problem",
    "given_scores",
    "given_votes",
    "gradient_problem",
    "ids_problem",
    "learning_problem",
    "load_checkpoint",
    "load_encoder",
    "load_glove",
    "load_train_validation",
    "logits_problem",
    "make_word_encoder",
    "mask_problem",
    "outputs_problem",
    "pair_problem",
    "plain_marks",
    "predict_problem",
    "show_curves",
    "show_interaction",
    "start_from",
    "text_encoder",
    "train_alike",
    "train_mode_problem",
]
