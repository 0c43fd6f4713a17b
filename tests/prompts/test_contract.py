"""The prompt contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.exceptions import TemplateError
from transformers import AutoTokenizer, GenerationConfig

from data_prep.api import prepare
from data_prep.errors import DataError
from data_prep.files import write_jsonl
from data_prep.formats import Turn, render_chat, render_question_answer
from data_prep.schema import DataConfig
from prism.prompts import PromptContract, Reasoned, split_response

DOCUMENTS = [
    ("Q calc 4 ; s1 + 2 ; s2 * 3 ?", "s1 + 2 . 4 = 1 ; s2 * 3 . 1 = 3", "3"),
    ("Q code f 1 = 2 ; f 4 = 1 ; f 0 = 3 ?", "f 0 = 3 ; f 1 = 2 ; 2 - 3 = 4", "x * 4 + 3"),
    ("Q sci water under heat ? glass fire ice iron", "heat water gives fire", "fire"),
]
REAL = [
    ("Janet's ducks lay 16 eggs.\n\nHow many in 3 days?", "16 * 3 = 48 eggs.\nSo 48.", "#### 48"),
    ("Was ist \\frac{1}{2} + \\frac{1}{3}?  ", "  Gemeinsamer Nenner: 6 …", "\\boxed{\\frac{5}{6}}"),
    ("数は何ですか", "考える", "四十二"),
]
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


def contract(directory: Path, kind: str, documents: Sequence[tuple[str, str, str]]) -> PromptContract:
    rows = [{"text": render_question_answer(question, answer, trace)} for question, trace, answer in documents]
    write_jsonl(directory / "raw.jsonl", [*rows, {"text": "User: hi\nAssistant: hello"}])
    config = DataConfig.model_validate(
        {"tokenizer": {"kind": kind, "vocab_size": 400}, "sources": {"raw": {"path": str(directory / "raw.jsonl")}}}
    )
    prepare(config, directory, log=lambda line: None)
    return PromptContract.load(directory / "tokenizer.json")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PromptContract:
    return contract(tmp_path_factory.mktemp("words"), "word_level", DOCUMENTS)


@pytest.fixture(scope="module")
def bytes_(tmp_path_factory: pytest.TempPathFactory) -> PromptContract:
    return contract(tmp_path_factory.mktemp("bytes"), "byte_level_bpe", [*DOCUMENTS, *REAL])


def assert_prefix(contract: PromptContract, question: str, answer: str, trace: str | None) -> None:
    prompt = contract.encode_prompt(question)
    document = contract.encode_document(render_question_answer(question, answer, trace))
    assert prompt
    assert document[: len(prompt)] == prompt
    assert document[-1] == contract.end_of_document_id


@pytest.mark.parametrize(("question", "trace", "answer"), DOCUMENTS)
def test_a_prompt_begins_its_document_with_words(words: PromptContract, question: str, trace: str, answer: str) -> None:
    assert_prefix(words, question, answer, trace)


@pytest.mark.parametrize(("question", "trace", "answer"), [*DOCUMENTS, *REAL])
def test_a_prompt_begins_its_document_with_bytes(
    bytes_: PromptContract, question: str, trace: str, answer: str
) -> None:
    assert_prefix(bytes_, question, answer, trace)
    assert_prefix(bytes_, question, answer, None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=TEXT, trace=TEXT, answer=TEXT)
def test_any_prompt_begins_its_document(bytes_: PromptContract, question: str, trace: str, answer: str) -> None:
    assert_prefix(bytes_, question, answer, trace)


def test_prompts_are_encoded_alike_one_by_one_and_together(bytes_: PromptContract) -> None:
    questions = [question for question, _, _ in REAL]
    assert bytes_.encode_prompts(questions) == [bytes_.encode_prompt(question) for question in questions]


@pytest.mark.parametrize(("question", "trace", "answer"), DOCUMENTS)
def test_a_stopped_response_decodes_to_its_text_without_the_stop_token(
    words: PromptContract, bytes_: PromptContract, question: str, trace: str, answer: str
) -> None:
    for contract in (words, bytes_):
        prompt = contract.encode_prompt(question)
        document = contract.encode_document(render_question_answer(question, answer, trace))
        response = document[len(prompt) :]
        assert response[-1] in contract.stop_ids
        text = contract.decode_response(response, stopped=True)
        assert split_response(text) == Reasoned(trace, answer)
        assert contract.decode_response(response[:-1], stopped=False) == text


def test_a_word_that_the_vocabulary_lacks_is_refused(words: PromptContract) -> None:
    with pytest.raises(DataError, match="isn't in the vocabulary"):
        words.encode_prompt("Q calc elephant ?")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "<think> why 42",
        "<think> why </think>",
        "<think> </think> 42",
        "<think></think>42",
        "first <think> why </think> 42",
        "<think> <think> why </think> 42",
        "<think> why </think> </think> 42",
        "<think> why </think> <think> again </think> 42",
        "</think> why <think> 42",
    ],
)
def test_a_response_out_of_form_isnt_split(text: str) -> None:
    assert split_response(text) is None


def test_a_response_in_form_is_split() -> None:
    assert split_response("<think> because\nso </think> 42 \n") == Reasoned("because\nso", "42")
    assert split_response("<think>a</think>b") == Reasoned("a", "b")


@pytest.fixture(scope="module")
def exported(bytes_: PromptContract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("export")
    bytes_.export(directory)
    return directory


CHATS = [
    [Turn("user", "hi")],
    [Turn("user", " hi\nthere "), Turn("assistant", "hello {{ user }}\n"), Turn("user", "<think> & 'x' \"y\"")],
    [Turn("human", "hi"), Turn("gpt", "  {% raw %} hello")],
    [Turn("assistant", "é 数"), Turn("assistant", "again")],
]


@pytest.mark.parametrize("turns", CHATS)
def test_the_exported_chat_template_renders_what_training_saw(exported: Path, turns: list[Turn]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(exported)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == render_chat(turns)
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert render_chat([*turns, Turn("assistant", "yes")]) == f"{asked} yes"


def test_the_exported_chat_template_refuses_other_roles(exported: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(exported)
    with pytest.raises(TemplateError, match="system"):
        tokenizer.apply_chat_template([{"role": "system", "content": "be brief"}], tokenize=False)


def test_the_exported_tokenizer_gives_the_same_tokens(exported: Path, bytes_: PromptContract) -> None:
    tokenizer = AutoTokenizer.from_pretrained(exported)
    for question, trace, answer in [*DOCUMENTS, *REAL]:
        text = render_question_answer(question, answer, trace)
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == bytes_.encode_text(text)
    assert tokenizer.eos_token_id == bytes_.end_of_document_id


def test_the_exported_generation_config_names_the_stop_token(exported: Path, bytes_: PromptContract) -> None:
    config = GenerationConfig.from_pretrained(exported)
    assert config.eos_token_id == list(bytes_.stop_ids)
    special = json.loads((exported / "special_tokens_map.json").read_text())
    assert special["eos_token"] == "<eos>"
