"""What can be offered, on which terms, and the rules of who may have it."""
