"""The alternating training loop."""
