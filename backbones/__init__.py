"""Base models: pictures, words and noise in; latents, text states and samples out. The home of diffusers."""
