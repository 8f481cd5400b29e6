"""Samples: crops with what a network should say of them, cut from annotated pictures."""
