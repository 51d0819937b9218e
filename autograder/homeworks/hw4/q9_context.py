"""4.9: how a ViT differs from a CNN and from the original Transformer."""

from __future__ import annotations

from autograder.declare import Choice, Written
from autograder.homeworks.hw4.homework import hw

compared = hw.question(
    "4.9",
    "ViT, CNN and the original Transformer",
    topic="ViT, CNN and the original Transformer",
    minutes=13,
    difficulty="medium",
    entries=[
        Choice(
            "vit_against_cnn",
            options={
                "A": (
                    "A ViT cannot see two distant patches at once before its last block; a CNN can in its"
                    " first layer, because its kernels slide over the whole image."
                ),
                "B": (
                    "The design of a CNN assumes that nearby pixels belong together; a ViT must learn this."
                ),
                "C": "No layer of a ViT can be written as a convolution.",
                "D": "A CNN needs more training images than a ViT, because its kernels are small.",
            },
            correct="B",
            why={
                "A": (
                    "it is the other way around: attention connects any two patches in the first block, while"
                    " the view of a CNN grows layer by layer."
                ),
                "C": "the patch embedding is a convolution, as you showed in 4.2.",
                "D": (
                    "with little data the built-in assumptions of a CNN help; the ViT is the one that"
                    " needs more data."
                ),
            },
            points=1,
        ),
        Choice(
            "vit_against_transformer",
            options={
                "A": "A ViT has a decoder that writes the class names.",
                "B": (
                    "A ViT masks later patches, so that each sees only the ones before it, as the decoder of"
                    " the original does with later words."
                ),
                "C": "A ViT divides scores by the number of patches instead of √d.",
                "D": "A ViT is only an encoder, with a norm before attention and before the MLP.",
            },
            correct="D",
            why={
                "A": "there is no decoder: one linear map turns the class token into ten logits.",
                "B": "there is no mask: all patches are there at once, and each may attend to each.",
                "C": "the scale is the same, the square root of a head's size.",
            },
            points=1,
        ),
        Choice(
            "vit_positions",
            options={
                "A": "Learned positions are a table of fixed length; sinusoids exist for any length.",
                "B": (
                    "Learned positions work for images of every size without change; sinusoidal ones must be"
                    " trained again."
                ),
                "C": (
                    "Without positions the model would fail on every image, because attention needs them to"
                    " compute scores."
                ),
                "D": "Positions are appended to the numbers of each token, so tokens grow longer.",
            },
            correct="A",
            why={
                "B": (
                    "it is the other way around: a table has as many rows as there were patches in training;"
                    " for other sizes one must interpolate."
                ),
                "C": (
                    "attention works without positions; it would then see a bag of patches, which still says"
                    " much about the class."
                ),
                "D": "in a ViT, positions are added; the size of a token stays the same.",
            },
            points=1,
        ),
        Choice(
            "vit_prediction",
            options={
                "A": "The patch with the highest attention is classified by its pixels.",
                "B": "Each patch votes for a class, and the votes are counted.",
                "C": "The class token collects what it needs by attention; a linear map gives the logits.",
                "D": "All 50 tokens are put side by side and go through one large linear map to ten logits.",
            },
            correct="C",
            why={
                "A": "attention weighs what flows into the class token; no patch is classified by itself.",
                "B": "patches have no logits of their own; only the class token goes into the head.",
                "D": "only one token goes into the head: 64 × 10 weights, not 3,200 × 10.",
            },
            points=1,
        ),
    ],
    written=Written(
        points=6,
        words=(40, 130),
        rubric={
            "What a CNN builds in (locality, the same kernel everywhere) and that the ViT has to learn it,"
            " with the consequence for 5,000 images": 3,
            "What the ViT gains (global view from the first block, content-dependent weights) and when that"
            " pays (much data, pretraining)": 2,
            "Refers to a number or figure of this notebook": 1,
        },
        examples={
            "full": (
                "With 4,500 training images I would choose a small CNN. It builds in that neighboring pixels"
                " belong together and that an edge is an edge everywhere, so it need not spend data on"
                " learning this; our ViT must find the grid by itself, as the similarity of positions shows"
                " that it partly did. Its 84% come with a training loss far below the validation loss. In"
                " return every block sees the whole image and decides by content where to look. With millions"
                " of images, or pretrained on them, that freedom pays and the built-in assumptions become a"
                " limit."
            ),
            "half": (
                "A CNN is better with few images because it has locality built in. A ViT needs more data but"
                " can look at the whole image at once."
            ),
            "none": "ViT is newer and therefore more accurate than CNNs.",
        },
    ),
)
