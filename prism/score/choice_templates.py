"""Forms in which the answer to a multiple-choice question is asked for, and found again.

A prompt ends with a template's `instruction`; its row names the template: `verifier: {kind: choice, choices: [...],
template: boxed_letter}`. Drawing one at random for each prompt keeps a model from learning a single form (section 9
of the paper).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ChoiceTemplate:
    """A form of answer.

    instruction: a sentence for the prompt.
    form: the answer in this form, with {letter} or {words} in the option's place.
    pattern: finds what the form holds, in its group 1. Its work is linear in the text, whatever the text.
    """

    id: str
    instruction: str
    form: str
    pattern: re.Pattern[str]

    @property
    def in_words(self) -> bool:
        """Whether the form holds the option's words, not its letter."""
        return "{words}" in self.form

    def example(self, letter: str, words: str) -> str:
        """An answer in this form."""
        return self.form.replace("{letter}", letter).replace("{words}", words)

    def stated(self, answer: str) -> Iterator[str]:
        """What each occurrence of the form holds."""
        return (match[1].strip() for match in self.pattern.finditer(answer))


_LINE = r"[^\n]{0,2000}"
_WHERE = "where X is the letter of the right option"
_WORDS = "give the words of the right option, exactly as they stand there"


def _template(id: str, instruction: str, form: str, pattern: str) -> ChoiceTemplate:
    return ChoiceTemplate(id, instruction, form, re.compile(pattern, re.MULTILINE))


CHOICE_TEMPLATES: Mapping[str, ChoiceTemplate] = {
    template.id: template
    for template in (
        _template(
            "letter",
            "Answer with the letter of the right option alone.",
            "{letter}",
            r"^[ \t]*(\(?[A-Za-z]\)?\.?)[ \t]*$",
        ),
        _template(
            "answer_letter",
            f'End your answer with a line of the form "Answer: X", {_WHERE}.',
            "Answer: {letter}",
            rf"^[ \t*]*(?:Final )?Answer[ \t*]*:({_LINE})$",
        ),
        _template(
            "the_answer_is",
            f'End your answer with the sentence "The answer is (X).", {_WHERE}.',
            "The answer is ({letter}).",
            rf"[Tt]he (?:correct |right |final )?answer is:?({_LINE})$",
        ),
        _template(
            "boxed_letter",
            "Put the letter of the right option within \\boxed{}.",
            "\\boxed{{letter}}",
            r"\\boxed\{((?:[^{}\n]|\{[^{}\n]{0,100}\}){0,200})\}",
        ),
        _template(
            "bold_letter",
            "End your answer with the letter of the right option in bold, such as **X**.",
            "**{letter}**",
            r"\*\*(\(?[A-Za-z]\)?\.?)\*\*",
        ),
        _template(
            "double_brackets",
            f'End your answer with "[[X]]", {_WHERE}.',
            "[[{letter}]]",
            r"\[\[([^\[\]\n]{0,200})\]\]",
        ),
        _template(
            "answer_tag",
            f'Write your final answer as "<answer>X</answer>", {_WHERE}.',
            "<answer>{letter}</answer>",
            r"<answer>([^<>]{0,2000})</answer>",
        ),
        _template(
            "json_letter",
            f'End your answer with the JSON object {{"answer": "X"}}, {_WHERE}.',
            '{"answer": "{letter}"}',
            r'\{[ \t]*"answer"[ \t]*:[ \t]*"([^"\n]{0,200})"[ \t]*\}',
        ),
        _template(
            "words",
            f"On the last line of your answer {_WORDS}, and nothing else.",
            "{words}",
            rf"^({_LINE})\s*\Z",
        ),
        _template(
            "answer_words",
            f'End your answer with a line that begins with "Answer:"; after it {_WORDS}.',
            "Answer: {words}",
            rf"^[ \t*]*(?:Final )?Answer[ \t*]*:({_LINE})$",
        ),
    )
}
"""The templates by their ids, which prompt rows carry."""
