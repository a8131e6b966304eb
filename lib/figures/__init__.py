"""What is drawn: images beside each other, curves, the networks."""
