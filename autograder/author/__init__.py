"""Makes notebooks, releases and tables from the sources."""
