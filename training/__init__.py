"""Latents, captions and a base in; adapter weights and resumable checkpoints out. Knows no orchestrator, no store."""
