"""The Helm chart, and what is made from its values: their schema and their reference."""
