"""What was last seen of every resource, its children and its engines."""
