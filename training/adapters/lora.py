"""Low-rank adaptation (Hu et al. 2021): the usual way. Learns W + alpha/rank * B A beside each frozen weight."""

from __future__ import annotations

from training.layered import Convolutional, LowRank


class Lora(LowRank, Convolutional):
    """On every linear layer and 1x1 convolution of the U-Net's transformer blocks, as kohya's default is."""
