"""What each part of the page shows, taken from the results."""
