"""What to run, why, and running it: jobs, plan, Snakemake, papermill."""
