"""Projections of the change log that are searched: thrown away and rebuilt at will."""
