"""What a task's YAML says of a RULER test. Defaults are the benchmark's; a small vocabulary needs its own wording."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."

ValueKind = Literal["words", "numbers", "uuids"]


class _Test(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Hidden(_Test):
    """A test that hides sentences in a haystack."""

    noise: str = Field(NOISE, description="With haystack noise: what is repeated.")


class NeedlesTest(_Hidden):
    """Needles in a haystack: values of keys, told somewhere, asked for at the end."""

    kind: Literal["needles"]
    haystack: Literal["noise", "essay", "needles"] = Field(
        "essay", description="noise: one sentence again and again. essay: the task's `path`. needles: other needles."
    )
    keys: int = Field(1, ge=1, description="Keys that are told.")
    values_per_key: int = Field(1, ge=1, description="Values of each key.")
    queries: int = Field(1, ge=1, description="Keys that are asked for.")
    key_kind: ValueKind = Field("words", description="What keys look like: adjective-noun, 7 digits, UUID 4.")
    value_kind: ValueKind = Field("numbers", description="What values look like.")
    key_words: tuple[str, ...] = Field((), description="Keys to choose from, in place of key_kind.")
    value_words: tuple[str, ...] = Field((), description="Words to make values of, in place of value_kind.")
    value_length: int = Field(1, ge=1, description="With value_words: words in a value.")
    needle: str = Field(
        "One of the special magic {kind} for {key} is: {value}.", description="A needle; {kind} is value_kind."
    )
    prompt: str = Field(
        "Some special magic {kind} are hidden within the following text. Make sure to memorize it. I will quiz you "
        "about the {kind} afterwards.\n{context}\nWhat are all the special magic {kind} for {query} mentioned in the "
        "provided text? The special magic {kind} for {query} mentioned in the provided text are",
        description="The whole prompt, where more than one value is expected.",
    )
    prompt_for_one: str = Field(
        "A special magic {kind} is hidden within the following text. Make sure to memorize it. I will quiz you "
        "about the {kind} afterwards.\n{context}\nWhat is the special magic {kind} for {query} mentioned in the "
        "provided text? The special magic {kind} for {query} mentioned in the provided text is",
        description="The whole prompt, where one value is expected; {kind} is then singular.",
    )

    @model_validator(mode="after")
    def _asks_for_what_is_told(self) -> NeedlesTest:
        if self.queries > self.keys:
            raise ValueError(f"{self.queries} queries for {self.keys} keys; ask for at most as many as are told")
        return self


class VariablesTest(_Hidden):
    """Variable tracking: chains of assignments, spread over a haystack; all names of one value are asked for."""

    kind: Literal["variables"]
    haystack: Literal["noise", "essay"] = Field("noise", description="noise: one sentence repeated; essay: `path`.")
    chains: int = Field(1, ge=1, description="Chains; the others distract.")
    hops: int = Field(4, ge=1, description="Assignments of a variable to another in a chain.")
    examples: int = Field(1, ge=0, description="Short solved examples before the text.")
    name_words: tuple[str, ...] = Field((), description="Names to choose from, in place of five capital letters.")
    value_words: tuple[str, ...] = Field((), description="Values to choose from, in place of five digits.")
    assignment: str = Field("VAR {name} = {value}", description="First sentence of a chain.")
    reference: str = Field("VAR {name} = VAR {other}", description="A further one.")
    prompt: str = Field(
        "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n{context}\n"
        "Question: Find all variables that are assigned the value {query} in the text above. Answer: According to the "
        "chain(s) of variable assignment in the text above, {count} variables are assigned the value {query}, they "
        "are:",
        description="The whole prompt.",
    )


class CommonWordsTest(_Test):
    """Common words extraction: the words of a list that occur most often.

    Words that aren't common grow in number with the length. Below 4,096 tokens the repeats are a fifth (common) and a
    third (others), as in the benchmark.
    """

    kind: Literal["common_words"]
    common: int = Field(10, ge=1, description="Words that are common.")
    common_repeats: int = Field(30, ge=2, description="How often each of them is listed.")
    other_repeats: int = Field(3, ge=1, description="How often each other word is listed.")
    examples: int = Field(1, ge=0, description="Short solved lists before it.")
    words: tuple[str, ...] = Field((), description="Words to choose from, in place of English ones.")
    numbered: bool = Field(True, description="Number the words of a list.")
    prompt: str = Field(
        "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that "
        "appear most often.\n{context}\nQuestion: What are the {count} most common words in the above list? Answer: "
        "The top {count} words that appear most often in the list are:",
        description="The whole prompt.",
    )

    @model_validator(mode="after")
    def _common_words_are_more_common(self) -> CommonWordsTest:
        if self.common_repeats <= self.other_repeats:
            raise ValueError("common_repeats must be above other_repeats")
        return self


class FrequentWordsTest(_Test):
    """Frequent words extraction: the three most frequent words of coded text whose frequencies fall by a zeta law.

    The most frequent word of all is the noise.
    """

    kind: Literal["frequent_words"]
    alpha: float = Field(2.0, gt=1, description="Exponent: the k-th word has a share of k^-alpha / zeta(alpha).")
    word_length: int = Field(6, ge=3, description="Letters of a coded word.")
    words: tuple[str, ...] = Field((), description="Words to choose from, in place of coded ones.")
    noise: str = Field("...", description="What stands in the place of the most frequent word.")
    prompt: str = Field(
        "Read the following coded text and track the frequency of each coded word. Find the three most frequently "
        "appeared coded words. {context}\nQuestion: Do not provide any explanation. Please ignore the dots '....'. "
        "What are the three most frequently appeared words in the above coded text? Answer: According to the coded "
        "text above, the three most frequently appeared words are:",
        description="The whole prompt.",
    )


class QuestionsTest(_Test):
    """Questions on passages: those that hold the answer between others that don't."""

    kind: Literal["questions"]
    document: str = Field("Document {number}:\n{passage}", description="How a passage is shown.")
    prompt: str = Field(
        "Answer the question based on the given documents. Only give me the answer and do not output any other words."
        "\n\nThe following are given documents.\n\n{context}\n\nAnswer the question based on the given documents. Only "
        "give me the answer and do not output any other words.\n\nQuestion: {query} Answer:",
        description="The whole prompt.",
    )


RulerTest = Annotated[
    NeedlesTest | VariablesTest | CommonWordsTest | FrequentWordsTest | QuestionsTest, Field(discriminator="kind")
]
