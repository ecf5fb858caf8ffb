"""Against a real Triton with a real engine, started here."""
