"""Keeps an embedded server answering: deaths, canaries, renewals, restarts, health."""
