"""All results of a profile as one page."""
