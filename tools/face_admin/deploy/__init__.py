"""Swapping the cascade's networks on a running server: export, comparison, gate, switch, way back."""
