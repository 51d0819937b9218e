"""hw4 in public: FashionMNIST, ready parts, progress of a training, and how the kit drives the answers.

No answer stands here: the ready parts wrap torch's own layers, the probes only build, inject, run and report.
"""

from __future__ import annotations

from autograder.homeworks.hw4.public.attending import look_at_attention, transformer_problem
from autograder.homeworks.hw4.public.diagnosis import (
    data_problem,
    evaluation_problem,
    history_problem,
    interrupt_problem,
    results,
    selection_problem,
    split_problem,
    step_problem,
)
from autograder.homeworks.hw4.public.images import (
    FASHION_CLASSES,
    FASHION_DIGESTS,
    FASHION_FILE,
    FASHION_FOLDERS,
    IDX_STEMS,
    Images,
    load_fashion_mnist,
)
from autograder.homeworks.hw4.public.injection import (
    embedding_probe,
    fit_names,
    gradient_problem,
    inject,
    vit_probe,
    way_problem,
)
from autograder.homeworks.hw4.public.mosaics import draw_confusion, draw_mosaic, show_places
from autograder.homeworks.hw4.public.probes import evaluate_probe, fit_probe, split_probe, train_step_probe
from autograder.homeworks.hw4.public.progress import (
    resumable_fit,
    save_safely,
    table_frames,
    unfinished,
    with_progress,
)
from autograder.homeworks.hw4.public.ready import READY, ready_attention, ready_block
from autograder.kit.shared.patches import patch_viewer

__all__ = [
    "FASHION_CLASSES",
    "FASHION_DIGESTS",
    "FASHION_FILE",
    "FASHION_FOLDERS",
    "IDX_STEMS",
    "READY",
    "Images",
    "data_problem",
    "draw_confusion",
    "draw_mosaic",
    "embedding_probe",
    "evaluate_probe",
    "evaluation_problem",
    "fit_names",
    "fit_probe",
    "gradient_problem",
    "history_problem",
    "inject",
    "interrupt_problem",
    "load_fashion_mnist",
    "look_at_attention",
    "patch_viewer",
    "ready_attention",
    "ready_block",
    "results",
    "resumable_fit",
    "save_safely",
    "selection_problem",
    "show_places",
    "split_probe",
    "split_problem",
    "step_problem",
    "table_frames",
    "train_step_probe",
    "transformer_problem",
    "unfinished",
    "vit_probe",
    "way_problem",
    "with_progress",
]
