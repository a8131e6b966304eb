"""The losses of both papers, one a file, and the weights of each method's."""
