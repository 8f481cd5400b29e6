"""`faces doctor`: what this machine has and lacks for serving."""
