"""Autoscaling, simulated: a day of arrivals against measured service times and the chart's own rule. `make scaling`."""
