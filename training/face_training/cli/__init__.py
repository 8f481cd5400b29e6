"""The verbs of `faces train`: each a module with its help, `add_arguments` and `run`."""
