"""The benchmark: our server against the peers, on this machine, in one run. `make bench`.

Importing this package needs nothing but Python: the peers' workers import it inside their own environments.
"""
