"""What runs inside Triton's Python processes: shared by the models and by the `pytorch` backend. Starts nothing."""
