"""From runs to tables: which run a printed number comes from, numbers, claims, publishing."""
