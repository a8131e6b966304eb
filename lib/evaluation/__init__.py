"""From trained networks and images to numbers: inference, metrics of the test images, how sure."""
