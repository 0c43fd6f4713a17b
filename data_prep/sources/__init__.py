"""What is known of the public data sets: a card a set, whose keys are a source's defaults."""
