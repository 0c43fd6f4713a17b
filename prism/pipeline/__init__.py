"""The stage graph: what runs, on what, when, and what can be skipped."""
