"""Load tests: locust over gRPC, the search for the highest rate, overload and soak. `make load`, `saturate`, `soak`."""
