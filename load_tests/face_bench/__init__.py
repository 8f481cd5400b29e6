"""The benchmark: our server against the peers, on this machine, in one run. `make bench`. The load tests stand on it.

Importing this package needs nothing but Python: the peers' workers import it inside their own environments.
"""


class BenchError(Exception):
    """The benchmark or load test cannot go on; the message says what to do."""
