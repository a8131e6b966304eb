"""Images that are computed, where a data set is absent."""
