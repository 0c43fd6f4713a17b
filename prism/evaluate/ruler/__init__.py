"""RULER: synthetic tests of long context at any length, under any tokenizer (Hsieh et al. 2024, arXiv 2404.06654).

| file | what |
|---|---|
| settings | the five kinds of tests and what a task's YAML says of them |
| draft | a prompt that a haystack of any size fits into |
| needles, variables, common_words, frequent_words, questions | the kinds |
| fill | the largest haystack that leaves room for the answer |
| make | a prompt from task and number |
| score | what share of the expected strings a response holds |
| run, table | evaluation of a model; scores of a run by stage and length |

Definitions and wording follow NVIDIA/RULER. Words, essays and passages are our own or the user's, so scores compare
between models that were measured here, and with published ones only roughly.
"""
