"""People in the client: merging, ranking, cache, files, pictures, sources, contact list."""
