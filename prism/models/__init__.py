"""Model families: how each looks as a Hugging Face checkpoint. One folder a family, the same files in each."""
