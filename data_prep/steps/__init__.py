"""What happens to a row on its way to tokens: datatrove steps, each a stream of documents in, a stream out.

A task's rank is the number of its unit. A document's id is its place (file and row); its row is in the metadata until
it is rendered.
"""
