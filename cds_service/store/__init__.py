"""What is remembered between calls: cards sent, feedback, tokens used."""
