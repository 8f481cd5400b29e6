"""What those do who run the service: `faces export`, `faces serve`, `faces deploy`."""
