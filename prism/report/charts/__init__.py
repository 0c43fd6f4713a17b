"""Hand-made SVG charts that need no script."""
