"""What runs all the time: the queue and its workers, the sweep, the scrapes, the own endpoints."""
