"""What the Prometheus operator has a Prometheus scrape, and a Prometheus that can find it."""
