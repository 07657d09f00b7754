"""Makes the pocket base again: public emoji packages in, a tiny Stable Diffusion 1.x with its CLIP out."""
