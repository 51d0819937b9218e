"""Ready parts to go on with where a question is not done yet; they wrap torch's own layers."""

from __future__ import annotations

from typing import Any


def ready_attention(dim: int, heads: int) -> Any:
    """Torch's own self-attention, called as 4.4a asks; goes where 4.4a is not done yet."""
    import torch

    class ReadyAttention(torch.nn.MultiheadAttention):
        def forward(self, x: Any, return_weights: bool = False) -> Any:  # type: ignore[override]
            both = super().forward(x, x, x, average_attn_weights=False)
            return both if return_weights else both[0]

    return ReadyAttention(dim, heads, batch_first=True)


def ready_block(dim: int, heads: int, mlp_dim: int) -> Any:
    """Torch's own encoder block, called as 4.4b asks; goes where 4.4b is not done yet."""
    import torch

    class ReadyBlock(torch.nn.TransformerEncoderLayer):
        def forward(self, x: Any, return_weights: bool = False) -> Any:  # type: ignore[override]
            output = super().forward(x)
            if not return_weights:
                return output
            normed = self.norm1(x)
            return output, self.self_attn(normed, normed, normed, average_attn_weights=False)[1]

    return ReadyBlock(dim, heads, mlp_dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)


READY = {"ready_attention": ready_attention, "ready_block": ready_block}
