"""hw6 in public: what the notebook is given beside the kit, and the judges use too; no solution."""

from __future__ import annotations

from autograder.homeworks.hw6.public.costs import growth_problem, observe, size_problem
from autograder.homeworks.hw6.public.denoising import changed, interval_problem, shrinkage
from autograder.homeworks.hw6.public.features import (
    EXPONENTIALS,
    FEW,
    GAUSSIAN_COUNTS,
    estimate_shape_problem,
    example_vectors,
    features_problem,
    frequencies_shape_problem,
    fresh_problem,
    gram_problem,
    near,
    product_problem,
    slope_problem,
    source_problem,
)
from autograder.homeworks.hw6.public.orders import exponents_problem, monomial
from autograder.homeworks.hw6.public.power_laws import fitted_slope, show_power_laws
from autograder.homeworks.hw6.public.similarities import dot_problem, square_problem
from autograder.homeworks.hw6.public.words import listed, named_kind
from autograder.kit.shared.slider import bars, frames_slider, heat, plane

__all__ = [
    "EXPONENTIALS",
    "FEW",
    "GAUSSIAN_COUNTS",
    "bars",
    "changed",
    "dot_problem",
    "estimate_shape_problem",
    "example_vectors",
    "exponents_problem",
    "features_problem",
    "fitted_slope",
    "frames_slider",
    "frequencies_shape_problem",
    "fresh_problem",
    "gram_problem",
    "growth_problem",
    "heat",
    "interval_problem",
    "listed",
    "monomial",
    "named_kind",
    "near",
    "observe",
    "plane",
    "product_problem",
    "show_power_laws",
    "shrinkage",
    "size_problem",
    "slope_problem",
    "source_problem",
    "square_problem",
]
