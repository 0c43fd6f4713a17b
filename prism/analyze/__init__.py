"""What training did to a model: its weights, its representations, its responses.

| file | what |
|---|---|
| `weights` | change of weights between any checkpoints, without megatron-core |
| `cka`, `hidden`, `representations` | linear CKA; hidden states, kept on disk; a pair of models on input sets |
| `models` | any models that are named, every pair of them |
| `landscape` | what weights between three checkpoints of a chain score |
| `samples`, `solvability` | what responses on disk say, by the sums of `prism.tally` |
| `run` | two stages of a recipe |
"""
